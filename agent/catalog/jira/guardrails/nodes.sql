-- counts: nodes the cluster knows, and the active ones
-- cost: S
-- versions: 8.3 and later
-- null: zero
select count(*) as total, sum(case when node_state = 'ACTIVE' then 1 else 0 end) as active
from clusternode
