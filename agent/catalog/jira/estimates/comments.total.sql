-- Comments: of the actions that Jira keeps, nearly all.
select 1 from jiraaction where actiontype = 'comment'
