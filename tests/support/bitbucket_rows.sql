-- A small invented Bitbucket: names, titles and secrets are all of the word planted, so that a leak is found. At most 1,000
-- rows a statement: MariaDB's own limit for recursion.
insert into sta_normal_project (project_id, is_public) with recursive n(i) as (select 1 union all select i + 1 from n where i < 30) select i, i % 2 = 0 from n;
insert into sta_personal_project (project_id, owner_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 8) select 100 + i, i from n;
insert into repository (id, slug, name, state, project_id, hierarchy_id, is_forkable, is_public, description) with recursive n(i) as (select 1 union all select i + 1 from n where i < 200) select i, 'planted-slug', 'planted-name', case when i % 20 = 0 then 0 else 1 end, 1 + i % 30, case when i <= 6 then 'one' when i <= 10 then 'two' else cast(i as char(20)) end, i > 0, i % 10 = 0, 'planted-text' from n;
insert into sta_repo_origin (repository_id, origin_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 8) select i + 1, 1 from n;
insert into sta_pull_request (id, scoped_id, pr_state, to_repository_id, title) with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) select i, i, case when i <= 120 then 0 when i <= 450 then 1 else 2 end, 1 + i % 200, 'planted-title' from n;
insert into sta_activity (id, activity_type, user_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 950) select i, 1, 1 from n;
insert into sta_pr_activity (activity_id, pr_id, pr_action) with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select i, 1 + i % 500, 1 from n;
insert into sta_pr_rescope_commit (activity_id, changeset_id, action) with recursive n(i) as (select 1 union all select i + 1 from n where i < 310) select i, 'planted-commit', 1 from n;
insert into bb_pr_commit (pr_id, commit_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 640) select i, 'planted-commit' from n;
insert into sta_normal_user (user_id, name, slug, deleted_timestamp) with recursive n(i) as (select 1 union all select i + 1 from n where i < 150) select i, 'planted-user', 'planted-slug', null from n;
insert into sta_service_user (user_id, active, email_address) with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select 200 + i, i > 0, 'planted@example.com' from n;
insert into sta_global_permission (id, perm_id, group_name) with recursive n(i) as (select 1 union all select i + 1 from n where i < 7) select i, 9, 'planted-group' from n;
insert into sta_project_permission (id, perm_id, project_id, group_name) with recursive n(i) as (select 1 union all select i + 1 from n where i < 60) select i, 4, 1 + i % 30, 'planted-group' from n;
insert into sta_repo_permission (id, perm_id, repo_id, group_name) with recursive n(i) as (select 1 union all select i + 1 from n where i < 110) select i, 1, 1 + i % 200, 'planted-group' from n;
insert into cwd_user (id, user_name, is_active, email_address, directory_id, credential) with recursive n(i) as (select 1 union all select i + 1 from n where i < 160) select i, 'planted-user', case when i % 8 = 0 then 'F' else 'T' end, 'planted@example.com', 1, 'planted-hash' from n;
insert into cwd_group (id, group_name, is_active, directory_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 9) select i, 'planted-group', case when i = 9 then 'F' else 'T' end, 1 from n;
insert into cwd_membership (id, parent_id, child_id, membership_type, parent_name, child_name) with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) select i, 1 + i % 9, 1 + i % 160, case when i <= 5 then 'GROUP_GROUP' else 'GROUP_USER' end, 'planted-group', 'planted-user' from n;
insert into app_property (prop_key, prop_value) values ('server.id', 'planted-server'), ('license', 'planted-licence');
update sta_normal_user set deleted_timestamp = '2026-01-05 10:00:00' where user_id <= 10;
