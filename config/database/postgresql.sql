-- A read-only account for Portfolio Agent on PostgreSQL 12 and later: the role portfolio_agent.
-- Made by scripts/database_roles from what the catalog reads and views.toml; do not edit.
--
-- Run it as a superuser, once in each product database, and again after each upgrade of the product or of an app:
--
--   psql -d jira -v schema=public -f postgresql.sql
--   psql -d jira -c '\password portfolio_agent'
--
-- schema: where the product's tables are (dbconfig.xml: schema-name). With -v strict=on it also closes what PostgreSQL
-- opens to every account by default, and first gives it to the owner of the product's tables: temporary tables,
-- tables in that schema (the default before version 15), large objects.
--
-- What it grants: the columns below, those that exist, of the tables below; and the schema portfolio_agent with views
-- that show single rows of tables which also hold secrets. No password, licence, mail address, name of a person, or
-- text of an issue or page can be read; nothing can be written. The views stand on functions with a text body, so that
-- PostgreSQL keeps no tie to the product's tables: a product upgrade that changes a column's type is not held up.
--
-- In agent.toml: [database] login = "own", dialect = "postgresql", host, port, name, schema as above,
-- user = "portfolio_agent", password_file. Check it: portfolio-agent config check
--
-- Removal, in each database:
--   drop schema portfolio_agent cascade;
--   drop owned by portfolio_agent;
-- then once: drop role portfolio_agent;

\set ON_ERROR_STOP on
\if :{?schema}
\else
\set schema public
\endif

select 'create role portfolio_agent login noinherit connection limit 4'
where not exists (select 1 from pg_roles where rolname = 'portfolio_agent') \gexec

begin;
alter role portfolio_agent nosuperuser nocreatedb nocreaterole noinherit noreplication nobypassrls;
-- Guards, not a boundary: the account could change them for itself. The boundary is that it has no right to write.
alter role portfolio_agent set default_transaction_read_only = on;
alter role portfolio_agent set statement_timeout = '60s';
alter role portfolio_agent set lock_timeout = '2s';
alter role portfolio_agent set idle_in_transaction_session_timeout = '60s';
alter role portfolio_agent set max_parallel_workers_per_gather = 0;
alter role portfolio_agent set jit = off;

-- Every run begins anew: what a product dropped is forgotten, what was granted by mistake is taken back.
revoke all on all tables in schema :"schema" from portfolio_agent;
drop schema if exists portfolio_agent cascade;
create schema portfolio_agent;
revoke all on schema portfolio_agent from public;
grant usage on schema :"schema" to portfolio_agent;
grant usage on schema portfolio_agent to portfolio_agent;
select format('grant connect on database %I to portfolio_agent', current_database()) \gexec

with wanted (tab, cols) as (values
  ('AO_319474_MESSAGE', 'ID,QUEUE_ID'),
  ('AO_319474_QUEUE', 'ID,MESSAGE_COUNT'),
  ('AO_4AEACD_WEBHOOK_DAO', 'ENABLED'),
  ('AO_54307E_GOAL', 'TIME_METRIC_ID'),
  ('AO_54307E_QUEUE', 'PROJECT_ID'),
  ('AO_54307E_SERVICEDESK', 'DISABLED,ID,PROJECT_ID'),
  ('AO_54307E_TIMEMETRIC', 'ID,SERVICE_DESK_ID'),
  ('AO_54307E_VIEWPORT', 'ID,PROJECT_ID'),
  ('AO_54307E_VIEWPORTFORM', 'VIEWPORT_ID'),
  ('AO_589059_AUTOMATION_QUEUE', 'ID'),
  ('AO_589059_RULE_CONFIG', 'STATE'),
  ('AO_60DB71_RAPIDVIEW', 'ID'),
  ('AO_60DB71_SPRINT', 'CLOSED'),
  ('AO_8542F1_IFJ_OBJ', 'ID,OBJECT_TYPE_ID'),
  ('AO_8542F1_IFJ_OBJ_ATTR', 'ID'),
  ('AO_8542F1_IFJ_OBJ_ATTR_VAL', 'ID'),
  ('AO_8542F1_IFJ_OBJ_HIST', 'ID'),
  ('AO_8542F1_IFJ_OBJ_JIRAISSUE', 'ID'),
  ('AO_8542F1_IFJ_OBJ_TYPE', 'ID,OBJECT_SCHEMA_ID'),
  ('AO_9B2E3B_RULE', 'ENABLED,RULESET_REVISION_ID'),
  ('AO_9B2E3B_RULESET', 'ACTIVE_REVISION_ID,ID'),
  ('AO_A0B856_WEBHOOK', 'ACTIVE'),
  ('AO_A0B856_WEB_HOOK_LISTENER_AO', 'ENABLED'),
  ('bb_pr_commit', 'pr_id'),
  ('build', 'build_type,full_key'),
  ('buildresultsummary', 'build_key,build_type'),
  ('changegroup', 'id,issueid'),
  ('changeitem', 'groupid,id'),
  ('clusternode', 'node_build_number,node_id,node_state,node_version'),
  ('comment_version', 'comment_id'),
  ('component', 'project'),
  ('confancestors', 'ancestorposition,descendentid'),
  ('configurationcontext', 'customfield,project'),
  ('confversion', 'buildnumber'),
  ('content', 'content_status,contentid,contenttype,pageid,prevver,spaceid,version'),
  ('content_perm', 'cps_id'),
  ('content_perm_set', 'content_id,id'),
  ('contentproperties', 'contentid,longval,propertyname'),
  ('customfield', 'id,issueswithvalue'),
  ('customfieldvalue', 'id'),
  ('cwd_app_dir_mapping', 'allow_all'),
  ('cwd_app_licensing', 'active,total_crowd_users,total_users'),
  ('cwd_application', 'active'),
  ('cwd_cluster_heartbeat', 'hearbeat_timestamp,node_id'),
  ('cwd_directory', 'active,id,is_active'),
  ('cwd_group', 'active,directory_id,id,is_active'),
  ('cwd_membership', 'child_group_id,child_user_id,membership_type,parent_id'),
  ('cwd_user', 'active,directory_id,id'),
  ('fieldconfigscheme', 'fieldid'),
  ('fieldlayoutscheme', 'id'),
  ('fieldscreen', 'id'),
  ('fieldscreenscheme', 'id'),
  ('fileattachment', 'filesize'),
  ('filtersubscription', 'filter_i_d'),
  ('issue_version', 'issue_id'),
  ('issuelink', 'destination,linktype,source'),
  ('issuelinktype', 'id,pstyle'),
  ('issuesecurityscheme', 'id'),
  ('issuestatus', 'id'),
  ('issuetype', 'id'),
  ('issuetypescreenscheme', 'id'),
  ('jiraaction', 'actiontype,id,issueid'),
  ('jiraissue', 'archived,id,issuetype,project'),
  ('jiraworkflows', 'id'),
  ('nodeindexcounter', 'index_operation_id,node_id,sending_node_id'),
  ('notificationscheme', 'id'),
  ('permissionscheme', 'id'),
  ('plugin_state', 'enabled,name'),
  ('plugindata', 'pluginkey'),
  ('pluginstate', 'pluginenabled,pluginkey'),
  ('pluginversion', 'pluginkey,pluginname,pluginversion'),
  ('portalpage', 'id'),
  ('priority', 'id'),
  ('project', 'id,project_id'),
  ('projectversion', 'project'),
  ('queue', 'queue_id'),
  ('replicatedindexoperation', 'id,node_id'),
  ('repository', 'hierarchy_id,is_archived,is_public,project_id,state'),
  ('resolution', 'id'),
  ('scheduler_run_details', 'id'),
  ('searchrequest', 'id'),
  ('spacepermissions', 'spaceid'),
  ('spaces', 'spaceid,spacestatus,spacetype'),
  ('sta_activity', 'id'),
  ('sta_global_permission', 'user_id'),
  ('sta_normal_project', 'is_public,project_id'),
  ('sta_normal_user', 'deleted_timestamp,user_id'),
  ('sta_personal_project', 'project_id'),
  ('sta_pr_activity', 'activity_id'),
  ('sta_pr_rescope_commit', 'activity_id'),
  ('sta_project_permission', 'user_id'),
  ('sta_pull_request', 'pr_state'),
  ('sta_repo_origin', 'repository_id'),
  ('sta_repo_permission', 'user_id'),
  ('sta_service_user', 'user_id'),
  ('workflowscheme', 'id'),
  ('worklog', 'id,issueid'),
  ('worklog_version', 'worklog_id')
)
select format('grant select (%s) on %s to portfolio_agent',
              string_agg(quote_ident(a.attname), ', ' order by a.attnum), c.oid::regclass)
from wanted w
join pg_class c on c.relname = w.tab and c.relnamespace = to_regnamespace(quote_ident(:'schema'))
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 and a.attname = any (string_to_array(w.cols, ','))
where c.relkind in ('r', 'p')
group by c.oid \gexec

-- Single rows of tables that hold secrets as well, and counts of columns that name people.
-- The function belongs to the table's owner, who needs to enter the schema for a moment to receive it.
select distinct format('grant usage, create on schema portfolio_agent to %s', relowner::regrole) from pg_class
where relnamespace = to_regnamespace(quote_ident(:'schema')) and relkind = 'r' \gexec

select format($f$create function portfolio_agent.read_propertyentry() returns table (id bigint, entity_name text, entity_id bigint, property_key text, propertytype bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.id)::bigint as id, (t.entity_name)::text as entity_name, (t.entity_id)::bigint as entity_id, (t.property_key)::text as property_key, (t.propertytype)::bigint as propertytype from propertyentry t where t.property_key = 'jira.archiving.projects' or (t.entity_name = 'GreenHopper.properties' and t.property_key = 'GreenHopper.Epic.Default.issuetype.id') or (t.entity_name = 'jira.properties' and ( t.property_key in ('jira.sid.key', 'jira.baseurl', 'jira.version', 'jira.version.patched', 'jvm.system.timezone', 'jira.safeguards.issue.comments') or t.property_key like 'applinks.admin.____________________________________.name' or t.property_key like 'applinks.admin.____________________________________.type' or t.property_key like 'applinks.admin.____________________________________.url' or t.property_key like 'applinks.admin.____________________________________.rpc.url' or t.property_key like 'applinks.admin.____________________________________.display.url'))$b$)
where to_regclass(format('%I.%I', :'schema', 'propertyentry')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_propertyentry() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_propertyentry() from public'),
  (3, 'grant execute on function portfolio_agent.read_propertyentry() to portfolio_agent'),
  (4, 'create view portfolio_agent.propertyentry as select * from portfolio_agent.read_propertyentry()'),
  (5, 'grant select on portfolio_agent.propertyentry to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'propertyentry')) and to_regclass(format('%I.%I', :'schema', 'propertyentry')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_propertystring() returns table (id bigint, propertyvalue text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.id)::bigint as id, (t.propertyvalue)::text as propertyvalue from propertystring t join propertyentry e on e.id = t.id where (e.entity_name = 'GreenHopper.properties' and e.property_key = 'GreenHopper.Epic.Default.issuetype.id') or (e.entity_name = 'jira.properties' and ( e.property_key in ('jira.sid.key', 'jira.baseurl', 'jira.version', 'jira.version.patched', 'jvm.system.timezone', 'jira.safeguards.issue.comments') or e.property_key like 'applinks.admin.____________________________________.name' or e.property_key like 'applinks.admin.____________________________________.type' or e.property_key like 'applinks.admin.____________________________________.url' or e.property_key like 'applinks.admin.____________________________________.rpc.url' or e.property_key like 'applinks.admin.____________________________________.display.url'))$b$)
where to_regclass(format('%I.%I', :'schema', 'propertystring')) is not null and to_regclass(format('%I.%I', :'schema', 'propertyentry')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_propertystring() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_propertystring() from public'),
  (3, 'grant execute on function portfolio_agent.read_propertystring() to portfolio_agent'),
  (4, 'create view portfolio_agent.propertystring as select * from portfolio_agent.read_propertystring()'),
  (5, 'grant select on portfolio_agent.propertystring to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'propertystring')) and to_regclass(format('%I.%I', :'schema', 'propertystring')) is not null and to_regclass(format('%I.%I', :'schema', 'propertyentry')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_feature() returns table (id bigint, feature_name text, feature_type text, user_key text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.id)::bigint as id, (t.feature_name)::text as feature_name, (t.feature_type)::text as feature_type, (t.user_key)::text as user_key from feature t where t.feature_type = 'site' and (t.user_key is null or t.user_key = '')$b$)
where to_regclass(format('%I.%I', :'schema', 'feature')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_feature() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_feature() from public'),
  (3, 'grant execute on function portfolio_agent.read_feature() to portfolio_agent'),
  (4, 'create view portfolio_agent.feature as select * from portfolio_agent.read_feature()'),
  (5, 'grant select on portfolio_agent.feature to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'feature')) and to_regclass(format('%I.%I', :'schema', 'feature')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_bandana() returns table (bandanacontext text, bandanakey text, bandanavalue text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.bandanacontext)::text as bandanacontext, (t.bandanakey)::text as bandanakey, (case when t.bandanakey = 'atlassian.confluence.settings' then substring(t.bandanavalue from '<baseUrl>[^<]*</baseUrl>') else t.bandanavalue end)::text as bandanavalue from bandana t where t.bandanacontext = '_GLOBAL' and ( t.bandanakey in ('confluence.server.id', 'atlassian.confluence.settings', 'plugin.manager.state.Map', 'confluence.darkfeature') or t.bandanakey like 'applinks.admin.____________________________________.name' or t.bandanakey like 'applinks.admin.____________________________________.type' or t.bandanakey like 'applinks.admin.____________________________________.url' or t.bandanakey like 'applinks.admin.____________________________________.rpc.url' or t.bandanakey like 'applinks.admin.____________________________________.display.url')$b$)
where to_regclass(format('%I.%I', :'schema', 'bandana')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_bandana() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_bandana() from public'),
  (3, 'grant execute on function portfolio_agent.read_bandana() to portfolio_agent'),
  (4, 'create view portfolio_agent.bandana as select * from portfolio_agent.read_bandana()'),
  (5, 'grant select on portfolio_agent.bandana to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'bandana')) and to_regclass(format('%I.%I', :'schema', 'bandana')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_plugin_setting() returns table (namespace text, key_name text, key_value text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.namespace)::text as namespace, (t.key_name)::text as key_name, (t.key_value)::text as key_value from plugin_setting t where t.key_name like 'applinks.admin.____________________________________.name' or t.key_name like 'applinks.admin.____________________________________.type' or t.key_name like 'applinks.admin.____________________________________.url' or t.key_name like 'applinks.admin.____________________________________.rpc.url' or t.key_name like 'applinks.admin.____________________________________.display.url'$b$)
where to_regclass(format('%I.%I', :'schema', 'plugin_setting')) is not null and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'key_name' and not attisdropped) and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'key_value' and not attisdropped) \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_plugin_setting() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_plugin_setting() from public'),
  (3, 'grant execute on function portfolio_agent.read_plugin_setting() to portfolio_agent'),
  (4, 'create view portfolio_agent.plugin_setting as select * from portfolio_agent.read_plugin_setting()'),
  (5, 'grant select on portfolio_agent.plugin_setting to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and to_regclass(format('%I.%I', :'schema', 'plugin_setting')) is not null and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'key_name' and not attisdropped) and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'key_value' and not attisdropped) order by s.place \gexec

select format($f$create function portfolio_agent.read_plugin_setting() returns table (namespace text, setting_key text, setting_value text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.namespace)::text as namespace, (t.setting_key)::text as setting_key, (case when t.setting_key = 'atlassian.confluence.settings' then substring(t.setting_value::text from '"baseUrl"[[:space:]]*:[[:space:]]*"[^"]*"') else t.setting_value::text end)::text as setting_value from plugin_setting t where t.namespace = '_GLOBAL' and ( t.setting_key in ('confluence.server.id', 'atlassian.confluence.settings') or t.setting_key like 'applinks.admin.____________________________________.name' or t.setting_key like 'applinks.admin.____________________________________.type' or t.setting_key like 'applinks.admin.____________________________________.url' or t.setting_key like 'applinks.admin.____________________________________.rpc.url' or t.setting_key like 'applinks.admin.____________________________________.display.url')$b$)
where to_regclass(format('%I.%I', :'schema', 'plugin_setting')) is not null and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'setting_key' and not attisdropped) and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'setting_value' and not attisdropped) \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_plugin_setting() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_plugin_setting() from public'),
  (3, 'grant execute on function portfolio_agent.read_plugin_setting() to portfolio_agent'),
  (4, 'create view portfolio_agent.plugin_setting as select * from portfolio_agent.read_plugin_setting()'),
  (5, 'grant select on portfolio_agent.plugin_setting to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and to_regclass(format('%I.%I', :'schema', 'plugin_setting')) is not null and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'setting_key' and not attisdropped) and exists (select 1 from pg_attribute where attrelid = to_regclass(format('%I.%I', :'schema', 'plugin_setting')) and attname = 'setting_value' and not attisdropped) order by s.place \gexec

select format($f$create function portfolio_agent.read_app_property() returns table (prop_key text, prop_value text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.prop_key)::text as prop_key, (t.prop_value)::text as prop_value from app_property t where t.prop_key in ('instance.url', 'server.id')$b$)
where to_regclass(format('%I.%I', :'schema', 'app_property')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_app_property() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_app_property() from public'),
  (3, 'grant execute on function portfolio_agent.read_app_property() to portfolio_agent'),
  (4, 'create view portfolio_agent.app_property as select * from portfolio_agent.read_app_property()'),
  (5, 'grant select on portfolio_agent.app_property to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'app_property')) and to_regclass(format('%I.%I', :'schema', 'app_property')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_cwd_property() returns table (property_key text, property_name text, property_value text)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (t.property_key)::text as property_key, (t.property_name)::text as property_name, (t.property_value)::text as property_value from cwd_property t where t.property_key = 'crowd' and t.property_name in ('build.number', 'base.url')$b$)
where to_regclass(format('%I.%I', :'schema', 'cwd_property')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_cwd_property() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_cwd_property() from public'),
  (3, 'grant execute on function portfolio_agent.read_cwd_property() to portfolio_agent'),
  (4, 'create view portfolio_agent.cwd_property as select * from portfolio_agent.read_cwd_property()'),
  (5, 'grant select on portfolio_agent.cwd_property to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'cwd_property')) and to_regclass(format('%I.%I', :'schema', 'cwd_property')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_comments_by_author() returns table (n bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (count(*))::bigint as n from jiraaction t where t.actiontype = 'comment' and t.author is not null group by t.author$b$)
where to_regclass(format('%I.%I', :'schema', 'jiraaction')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_comments_by_author() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_comments_by_author() from public'),
  (3, 'grant execute on function portfolio_agent.read_comments_by_author() to portfolio_agent'),
  (4, 'create view portfolio_agent.comments_by_author as select * from portfolio_agent.read_comments_by_author()'),
  (5, 'grant select on portfolio_agent.comments_by_author to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'jiraaction')) and to_regclass(format('%I.%I', :'schema', 'jiraaction')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_groups_in_restrictions() returns table (n bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (count(distinct t.groupname))::bigint as n from content_perm t join content_perm_set s on s.id = t.cps_id join content c on c.contentid = s.content_id where t.groupname is not null and c.prevver is null and c.content_status = 'current'$b$)
where to_regclass(format('%I.%I', :'schema', 'content_perm')) is not null and to_regclass(format('%I.%I', :'schema', 'content_perm_set')) is not null and to_regclass(format('%I.%I', :'schema', 'content')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_groups_in_restrictions() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_groups_in_restrictions() from public'),
  (3, 'grant execute on function portfolio_agent.read_groups_in_restrictions() to portfolio_agent'),
  (4, 'create view portfolio_agent.groups_in_restrictions as select * from portfolio_agent.read_groups_in_restrictions()'),
  (5, 'grant select on portfolio_agent.groups_in_restrictions to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'content_perm')) and to_regclass(format('%I.%I', :'schema', 'content_perm')) is not null and to_regclass(format('%I.%I', :'schema', 'content_perm_set')) is not null and to_regclass(format('%I.%I', :'schema', 'content')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_users_of_jira() returns table (place bigint, active_place bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (min(case when d.directory_position is null then 0 else d.directory_position end))::bigint as place, (min(case when t.active <> 1 then null when d.directory_position is null then 0 else d.directory_position end))::bigint as active_place from cwd_user t join cwd_directory d on d.id = t.directory_id where d.active = 1 group by t.lower_user_name$b$)
where to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'jiraissue')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_users_of_jira() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_users_of_jira() from public'),
  (3, 'grant execute on function portfolio_agent.read_users_of_jira() to portfolio_agent'),
  (4, 'create view portfolio_agent.users_of_jira as select * from portfolio_agent.read_users_of_jira()'),
  (5, 'grant select on portfolio_agent.users_of_jira to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'cwd_user')) and to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'jiraissue')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_users_of_confluence() returns table (place bigint, active_place bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (min(case when m.list_index is null then 0 else m.list_index end))::bigint as place, (min(case when t.active <> 'T' then null when m.list_index is null then 0 else m.list_index end))::bigint as active_place from cwd_user t join cwd_directory d on d.id = t.directory_id join cwd_app_dir_mapping m on m.directory_id = d.id where d.active = 'T' group by t.lower_user_name$b$)
where to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_app_dir_mapping')) is not null and to_regclass(format('%I.%I', :'schema', 'content_perm_set')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_users_of_confluence() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_users_of_confluence() from public'),
  (3, 'grant execute on function portfolio_agent.read_users_of_confluence() to portfolio_agent'),
  (4, 'create view portfolio_agent.users_of_confluence as select * from portfolio_agent.read_users_of_confluence()'),
  (5, 'grant select on portfolio_agent.users_of_confluence to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'cwd_user')) and to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_app_dir_mapping')) is not null and to_regclass(format('%I.%I', :'schema', 'content_perm_set')) is not null order by s.place \gexec

select format($f$create function portfolio_agent.read_users_of_bitbucket() returns table (place bigint, active_place bigint)
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b$select (min(case when m.list_index is null then 0 else m.list_index end))::bigint as place, (min(case when t.is_active <> 'T' then null when m.list_index is null then 0 else m.list_index end))::bigint as active_place from cwd_user t join cwd_directory d on d.id = t.directory_id join cwd_app_dir_mapping m on m.directory_id = d.id where d.is_active = 'T' group by t.lower_user_name$b$)
where to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_app_dir_mapping')) is not null and to_regclass(format('%I.%I', :'schema', 'sta_normal_user')) is not null \gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function portfolio_agent.read_users_of_bitbucket() owner to %s'),
  (2, 'revoke all on function portfolio_agent.read_users_of_bitbucket() from public'),
  (3, 'grant execute on function portfolio_agent.read_users_of_bitbucket() to portfolio_agent'),
  (4, 'create view portfolio_agent.users_of_bitbucket as select * from portfolio_agent.read_users_of_bitbucket()'),
  (5, 'grant select on portfolio_agent.users_of_bitbucket to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', 'cwd_user')) and to_regclass(format('%I.%I', :'schema', 'cwd_user')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_directory')) is not null and to_regclass(format('%I.%I', :'schema', 'cwd_app_dir_mapping')) is not null and to_regclass(format('%I.%I', :'schema', 'sta_normal_user')) is not null order by s.place \gexec
select distinct format('revoke create on schema portfolio_agent from %s', c.relowner::regrole)
from pg_class c join pg_roles r on r.oid = c.relowner
where c.relnamespace = to_regnamespace(quote_ident(:'schema')) and c.relkind = 'r' and not r.rolsuper \gexec
commit;

\if :{?strict}
begin;
with owner (name) as (select distinct relowner::regrole from pg_class
  where relnamespace = to_regnamespace(quote_ident(:'schema')) and relkind = 'r'),
rights (place, given, taken) as (values
  (1, format('temporary on database %I', current_database()), ''),
  (2, format('usage, create on schema %I', :'schema'), format('create on schema %I', :'schema')),
  (3, 'execute on function lo_create(oid)', ''),
  (4, 'execute on function lo_creat(integer)', ''),
  (5, 'execute on function lo_from_bytea(oid, bytea)', ''))
select statement from (
  select place, 1 as turn, format('grant %s to %s', given, name) as statement from rights, owner
  union all
  select place, 2, format('revoke %s from public', coalesce(nullif(taken, ''), given)) from rights) s
order by place, turn \gexec
commit;
\endif
