-- counts: changes recorded for all issues, each with one or more items
-- cost: L
-- versions: 8.3 and later
-- estimate: changegroup as total
select count(*) as total from changegroup
