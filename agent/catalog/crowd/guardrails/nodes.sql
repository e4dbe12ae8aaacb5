-- counts: nodes that gave a sign of life
-- cost: S
-- versions: 5 and later
select count(*) as total from cwd_cluster_heartbeat
