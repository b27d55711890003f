-- The foreign keys below lock both tables. A call writes change first and information_unit after it: in another order this
-- revision and a writer could wait for each other.
do $$
begin
    lock table iucore.change, iucore.information_unit in share row exclusive mode;
end
$$;
