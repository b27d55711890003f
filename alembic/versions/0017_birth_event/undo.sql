-- Nothing to take back: events stay in the outbox. A statement, since each file ends one.
select;
