-- counts: nodes the cluster knows, and the active ones; a Jira that is no cluster has no row and is one node
-- cost: S
-- versions: 8.3 and later
select case when count(*) = 0 then 1 else count(*) end as total,
       case when count(*) = 0 then 1 else sum(case when node_state = 'ACTIVE' then 1 else 0 end) end as active
from clusternode
