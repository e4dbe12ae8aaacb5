-- counts: members of the largest group; no row means that no group has members
-- cost: M
-- versions: 8.3 and later
-- null: zero
select max(n) as largest
from (select count(*) as n from cwd_membership where membership_type = 'GROUP_USER' group by parent_id) x
