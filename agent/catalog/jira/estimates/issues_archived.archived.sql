-- Issues archived one by one.
select 1 from jiraissue where archived = 'Y'
