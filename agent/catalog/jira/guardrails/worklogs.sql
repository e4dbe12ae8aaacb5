-- counts: work log entries
-- cost: L
-- versions: 8.3 and later
-- estimate: worklog as total
select count(*) as total from worklog
