-- counts: memberships of users in groups, and of groups in groups
-- cost: M
-- versions: 8.3 and later
-- null: zero
select
  sum(case when membership_type = 'GROUP_USER' then 1 else 0 end) as direct,
  sum(case when membership_type = 'GROUP_GROUP' then 1 else 0 end) as nested
from cwd_membership
