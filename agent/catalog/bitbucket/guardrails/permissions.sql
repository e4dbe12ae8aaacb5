-- counts: permissions granted, by what they are granted on; none of a user who is deleted, whose grants stay for a while
-- cost: M
-- versions: 6 and later
select
  (select count(*) from sta_global_permission g left join sta_normal_user u on u.user_id = g.user_id
   where u.deleted_timestamp is null) as global_grants,
  (select count(*) from sta_project_permission g left join sta_normal_user u on u.user_id = g.user_id
   where u.deleted_timestamp is null) as project_grants,
  (select count(*) from sta_repo_permission g left join sta_normal_user u on u.user_id = g.user_id
   where u.deleted_timestamp is null) as repository_grants
