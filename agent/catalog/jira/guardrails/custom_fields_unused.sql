-- counts: custom fields without a value, as Jira itself notes it
-- cost: S
-- versions: 9 and later: the column is absent before
select count(*) as unused from customfield where coalesce(issueswithvalue, 0) = 0
