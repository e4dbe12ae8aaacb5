-- counts: memberships of accounts, and of groups in groups
-- cost: M
-- versions: 6 and later
-- null: zero
select
  sum(case when membership_type = 'GROUP_USER' then 1 else 0 end) as users,
  sum(case when membership_type = 'GROUP_GROUP' then 1 else 0 end) as nested
from cwd_membership
