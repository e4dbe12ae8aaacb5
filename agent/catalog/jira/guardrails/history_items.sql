-- counts: single changes recorded for all issues, as a rule the largest table
-- cost: L
-- versions: 8.3 and later
-- estimate: changeitem as total
select count(*) as total from changeitem
