-- The columns of Confluence's tables that facts are known of. Runs on SQLite, PostgreSQL and MariaDB.
create table confversion (confversionid bigint not null primary key, buildnumber integer not null, installdate timestamp null, versiontag varchar(255), finalized char(1));
create table spaces (spaceid bigint not null primary key, spacename varchar(255), spacekey varchar(255), lowerspacekey varchar(255), spacetype varchar(255), spacestatus varchar(255));
create table content (contentid bigint not null primary key, hibernateversion integer, contenttype varchar(255) not null, title varchar(255), lowertitle varchar(255), version integer, creator varchar(255), prevver bigint, content_status varchar(255), pageid bigint, spaceid bigint, parentid bigint);
create table contentproperties (propertyid bigint not null primary key, propertyname varchar(255) not null, stringval varchar(255), longval bigint, contentid bigint);
create table confancestors (descendentid bigint not null, ancestorid bigint not null, ancestorposition integer not null, primary key (descendentid, ancestorposition));
create table spacepermissions (permid bigint not null primary key, spaceid bigint, permtype varchar(255) not null, permgroupname varchar(255), permusername varchar(255));
create table content_perm_set (id bigint not null primary key, cont_perm_type varchar(10) not null, content_id bigint not null);
create table content_perm (id bigint not null primary key, cp_type varchar(10) not null, username varchar(255), groupname varchar(255), cps_id bigint);
create table cwd_user (id bigint not null primary key, user_name varchar(255) not null, lower_user_name varchar(255) not null, active char(1) not null, email_address varchar(255), directory_id bigint not null, credential varchar(255));
create table cwd_directory (id bigint not null primary key, directory_name varchar(255) not null, active char(1) not null, impl_class varchar(255) not null, directory_type varchar(32) not null);
create table cwd_app_dir_mapping (id bigint not null primary key, application_id bigint not null, directory_id bigint not null, allow_all char(1) not null, list_index integer);
create table cwd_group (id bigint not null primary key, group_name varchar(255) not null, active char(1) not null, directory_id bigint not null);
create table cwd_membership (id bigint not null primary key, parent_id bigint, child_group_id bigint, child_user_id bigint);
create table bandana (bandanaid bigint not null primary key, bandanacontext varchar(255) not null, bandanakey varchar(100) not null, bandanavalue text);
create table plugindata (plugindataid bigint not null primary key, pluginkey varchar(255), filename varchar(255), lastmoddate timestamp null, data varchar(255));
create table "AO_A0B856_WEBHOOK" ("ID" integer not null primary key, "NAME" varchar(255), "URL" varchar(255), "ACTIVE" boolean not null);
create table scheduler_run_details (id bigint not null primary key, job_id varchar(255), start_time timestamp null, duration bigint, outcome varchar(255));
