-- counts: issues archived one by one; reads the whole table
-- cost: L
-- versions: 8.11 and later
-- planned: archived
select count(*) as archived from jiraissue where archived = 'Y'
