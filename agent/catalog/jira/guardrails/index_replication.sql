-- counts: rows in the table of index operations sent between nodes; history, not a backlog
-- cost: M
-- versions: 8.3 and later
select count(*) as total from replicatedindexoperation
