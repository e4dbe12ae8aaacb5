-- The columns of Crowd's tables that facts are known of. Runs on SQLite, PostgreSQL and MariaDB.
create table cwd_user (id bigint not null primary key, user_name varchar(255) not null, active char(1) not null, email_address varchar(255), directory_id bigint not null, credential varchar(255));
create table cwd_group (id bigint not null primary key, group_name varchar(255) not null, active char(1) not null, is_local char(1) not null, directory_id bigint not null);
create table cwd_directory (id bigint not null primary key, directory_name varchar(255) not null, active char(1) not null, impl_class varchar(255) not null, directory_type varchar(32) not null);
create table cwd_application (id bigint not null primary key, application_name varchar(255) not null, active char(1) not null, application_type varchar(32) not null, credential varchar(255) not null);
create table cwd_app_dir_mapping (id bigint not null primary key, application_id bigint not null, directory_id bigint not null, allow_all char(1) not null);
create table cwd_membership (id bigint not null primary key, parent_id bigint, child_id bigint, membership_type varchar(32), parent_name varchar(255), child_name varchar(255));
create table cwd_cluster_heartbeat (node_id varchar(36) not null primary key, node_name varchar(255), hearbeat_timestamp bigint not null);
create table cwd_app_licensing (id bigint not null primary key, application_id bigint not null, application_subtype varchar(32) not null, total_users integer not null, max_user_limit integer not null, total_crowd_users integer not null, active char(1) not null);
create table cwd_property (property_key varchar(255) not null, property_name varchar(255) not null, property_value text, primary key (property_key, property_name));
