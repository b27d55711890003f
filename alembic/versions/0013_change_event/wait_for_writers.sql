-- Each call under way holds this table in ROW SHARE mode. Those that began before the revision before this one was committed
-- may still run its old functions, which emit nothing; they end before this goes on.
do $$
begin
    lock table iucore.gate in exclusive mode;
end
$$;
