-- The columns of Bitbucket's tables that facts are known of. Runs on SQLite, PostgreSQL and MariaDB.
create table sta_normal_project (project_id integer not null primary key, is_public boolean not null);
create table sta_personal_project (project_id integer not null primary key, owner_id integer not null);
create table repository (id integer not null primary key, slug varchar(128) not null, name varchar(128) not null, state integer not null, project_id integer not null, scm_id varchar(255), hierarchy_id varchar(40) not null, is_forkable boolean not null, is_public boolean not null, description varchar(255));
create table sta_repo_origin (repository_id integer not null primary key, origin_id integer not null);
create table sta_pull_request (id bigint not null primary key, scoped_id bigint not null, pr_state integer not null, from_repository_id integer, to_repository_id integer not null, title varchar(255) not null);
create table sta_activity (id bigint not null primary key, activity_type integer not null, user_id integer not null);
create table sta_pr_activity (activity_id bigint not null primary key, pr_id bigint not null, pr_action integer not null);
create table sta_pr_rescope_commit (activity_id bigint not null, changeset_id varchar(40) not null, action integer not null, primary key (activity_id, changeset_id));
create table bb_pr_commit (pr_id bigint not null, commit_id varchar(40) not null, primary key (pr_id, commit_id));
create table sta_normal_user (user_id integer not null primary key, name varchar(255) not null, slug varchar(127) not null, deleted_timestamp timestamp null);
create table sta_service_user (user_id integer not null primary key, active boolean not null, email_address varchar(255));
create table sta_global_permission (id bigint not null primary key, perm_id integer not null, group_name varchar(255), user_id integer);
create table sta_project_permission (id bigint not null primary key, perm_id integer not null, project_id integer not null, group_name varchar(255), user_id integer);
create table sta_repo_permission (id bigint not null primary key, perm_id integer not null, repo_id integer not null, group_name varchar(255), user_id integer);
create table cwd_user (id bigint not null primary key, user_name varchar(255) not null, is_active char(1) not null, email_address varchar(255), directory_id bigint not null, credential varchar(255));
create table cwd_group (id bigint not null primary key, group_name varchar(255) not null, is_active char(1) not null, directory_id bigint not null);
create table cwd_membership (id bigint not null primary key, parent_id bigint, child_id bigint, membership_type varchar(32), parent_name varchar(255), child_name varchar(255));
create table app_property (prop_key varchar(50) not null primary key, prop_value varchar(2000) not null);
