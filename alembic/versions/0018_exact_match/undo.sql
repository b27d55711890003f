-- Nothing to drop: the functions before it are back already. A statement, since each file ends one.
select;
