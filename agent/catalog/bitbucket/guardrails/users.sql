-- counts: users that are not deleted
-- cost: M
-- versions: 6 and later
select count(*) as total from sta_normal_user where deleted_timestamp is null
