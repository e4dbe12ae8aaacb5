-- counts: nodes of the cluster; offline is one whose sign of life is 5 minutes older than the newest
-- cost: S
-- versions: 5 and later
-- rows: 200
-- every: tick
select h.node_id as node,
       case when h.hearbeat_timestamp >= (select max(n.hearbeat_timestamp) from cwd_cluster_heartbeat n) - 300000
            then 'active' else 'offline' end as state
from cwd_cluster_heartbeat h
order by h.node_id
