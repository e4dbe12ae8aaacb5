-- counts: comments; no index on actiontype, so it reads the whole table
-- cost: L
-- versions: 8.3 and later
-- estimate: jiraaction as total
-- planned: total
select count(*) as total from jiraaction where actiontype = 'comment'
