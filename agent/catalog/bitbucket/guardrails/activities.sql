-- counts: activities of every kind
-- cost: L
-- versions: 6 and later
-- estimate: sta_activity as total
select count(*) as total from sta_activity
