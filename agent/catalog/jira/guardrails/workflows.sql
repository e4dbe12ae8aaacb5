-- counts: workflows
-- cost: S
-- versions: 8.3 and later
select count(*) as total from jiraworkflows
