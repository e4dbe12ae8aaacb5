-- counts: memberships of accounts, and of groups in groups
-- cost: M
-- versions: 6.3 and later
select count(child_user_id) as users, count(child_group_id) as nested from cwd_membership
