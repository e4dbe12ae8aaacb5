-- counts: activities of every kind
-- cost: L
-- versions: 6 and later
select count(*) as total from sta_activity
