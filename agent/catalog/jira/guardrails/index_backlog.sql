-- counts: index operations that active nodes have not taken over yet, of all nodes and of the one furthest behind; no row means that none is behind
-- cost: M
-- versions: 8.3 and later
-- null: zero
select sum(n) as total, max(n) as largest
from (
  select count(o.id) as n
  from nodeindexcounter c
  join clusternode k on k.node_id = c.node_id and k.node_state = 'ACTIVE'
  join replicatedindexoperation o on o.node_id = c.sending_node_id and o.id > c.index_operation_id
  where c.sending_node_id <> c.node_id
  group by c.node_id
) x
