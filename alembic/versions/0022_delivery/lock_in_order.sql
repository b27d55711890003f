-- The foreign keys below lock these tables. A call writes change first: in another order this revision and a writer could
-- wait for each other.
do $$
begin
    lock table iucore.change in share row exclusive mode;
    lock table iucore.axis, iucore.route in share row exclusive mode;
end
$$;
