-- counts: nodes of the cluster with state and version
-- cost: S
-- versions: 8.3 and later
-- rows: 200
-- every: tick
select node_id as node,
       case when node_state = 'ACTIVE' then 'active' else 'offline' end as state,
       node_version as version, node_build_number as build
from clusternode
order by node_id
