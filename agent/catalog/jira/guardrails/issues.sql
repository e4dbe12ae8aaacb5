-- counts: issues
-- cost: L
-- versions: 8.3 and later
-- estimate: jiraissue as total
select count(*) as total from jiraissue
