-- counts: permissions granted, by what they are granted on
-- cost: M
-- versions: 6 and later
select
  (select count(*) from sta_global_permission) as global_grants,
  (select count(*) from sta_project_permission) as project_grants,
  (select count(*) from sta_repo_permission) as repository_grants
