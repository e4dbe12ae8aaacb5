-- counts: issues
-- cost: L
-- versions: 8.3 and later
select count(*) as total from jiraissue
