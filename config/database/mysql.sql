-- A read-only account for Portfolio Agent on MySQL 5.7 and later and on MariaDB 10.4 and later.
-- Made by scripts/database_roles from what the catalog reads and views.toml; do not edit.
--
-- It changes nothing: it prints the statements, for you to read and to run. Make the account first, with a password
-- of yours; then, as an administrator, once for each product database and again after each upgrade of the product:
--
--   create user portfolio_agent@'10.0.0.%' identified by '...' with max_user_connections 4;
--
--   mysql --skip-column-names --raw --init-command="set @agent = 'portfolio_agent@''10.0.0.%'''" jira \
--     < mysql.sql > grants.sql
--   mysql < grants.sql
--
-- What the statements do: a database portfolio_agent_<name of the product's> with one view for each table below, which
-- shows the columns below (of tables that also hold secrets: single rows). The agent's account may read this database
-- and nothing else: no password, licence, mail address, name of a person, or text of an issue or page. The views read
-- with the rights of portfolio_agent_views@localhost, which is locked: nobody can log in as it. One thing MariaDB
-- leaves to everyone who may SELECT: `select ... for update` locks rows. The agent has no such statement.
--
-- In agent.toml: [database] login = "own", dialect = "mysql", host, port, name = "portfolio_agent_<...>",
-- user = "portfolio_agent", password_file. Check it: portfolio-agent config check
--
-- Removal:
--   drop database portfolio_agent_<name>;
--   revoke all privileges, grant option from portfolio_agent_views@localhost;
--   drop user portfolio_agent_views@localhost, portfolio_agent@'10.0.0.%';

set session group_concat_max_len = 100000;

select concat('create database if not exists `portfolio_agent_', database(), '`;');
select 'create user if not exists portfolio_agent_views@localhost account lock;';
select concat('grant select on `', replace(replace(database(), '_', '\\_'), '%', '\\%'),
              '`.* to portfolio_agent_views@localhost;');

select concat('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view ',
              '`portfolio_agent_', database(), '`.`', c.table_name, '` as select ',
              group_concat(concat('`', c.column_name, '`') order by c.ordinal_position separator ', '),
              ' from `', database(), '`.`', c.table_name, '`;')
from information_schema.columns c join information_schema.tables t
  on t.table_schema = c.table_schema and t.table_name = c.table_name and t.table_type = 'BASE TABLE'
join (
  select 'AO_319474_MESSAGE' as tab, 'ID,QUEUE_ID' as cols
  union all
  select 'AO_319474_QUEUE' as tab, 'ID,MESSAGE_COUNT' as cols
  union all
  select 'AO_4AEACD_WEBHOOK_DAO' as tab, 'ENABLED' as cols
  union all
  select 'AO_54307E_GOAL' as tab, 'TIME_METRIC_ID' as cols
  union all
  select 'AO_54307E_QUEUE' as tab, 'PROJECT_ID' as cols
  union all
  select 'AO_54307E_SERVICEDESK' as tab, 'DISABLED,ID,PROJECT_ID' as cols
  union all
  select 'AO_54307E_TIMEMETRIC' as tab, 'ID,SERVICE_DESK_ID' as cols
  union all
  select 'AO_54307E_VIEWPORT' as tab, 'ID,PROJECT_ID' as cols
  union all
  select 'AO_54307E_VIEWPORTFORM' as tab, 'VIEWPORT_ID' as cols
  union all
  select 'AO_589059_AUTOMATION_QUEUE' as tab, 'ID' as cols
  union all
  select 'AO_589059_RULE_CONFIG' as tab, 'STATE' as cols
  union all
  select 'AO_60DB71_RAPIDVIEW' as tab, 'ID' as cols
  union all
  select 'AO_60DB71_SPRINT' as tab, 'CLOSED' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ' as tab, 'ID,OBJECT_TYPE_ID' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ_ATTR' as tab, 'ID' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ_ATTR_VAL' as tab, 'ID' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ_HIST' as tab, 'ID' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ_JIRAISSUE' as tab, 'ID' as cols
  union all
  select 'AO_8542F1_IFJ_OBJ_TYPE' as tab, 'ID,OBJECT_SCHEMA_ID' as cols
  union all
  select 'AO_9B2E3B_RULE' as tab, 'ENABLED,RULESET_REVISION_ID' as cols
  union all
  select 'AO_9B2E3B_RULESET' as tab, 'ACTIVE_REVISION_ID,ID' as cols
  union all
  select 'AO_A0B856_WEBHOOK' as tab, 'ACTIVE' as cols
  union all
  select 'AO_A0B856_WEB_HOOK_LISTENER_AO' as tab, 'ENABLED' as cols
  union all
  select 'bb_pr_commit' as tab, 'pr_id' as cols
  union all
  select 'build' as tab, 'build_type,full_key' as cols
  union all
  select 'buildresultsummary' as tab, 'build_key,build_type' as cols
  union all
  select 'changegroup' as tab, 'id,issueid' as cols
  union all
  select 'changeitem' as tab, 'groupid,id' as cols
  union all
  select 'clusternode' as tab, 'node_build_number,node_id,node_state,node_version' as cols
  union all
  select 'comment_version' as tab, 'comment_id' as cols
  union all
  select 'component' as tab, 'project' as cols
  union all
  select 'confancestors' as tab, 'ancestorposition,descendentid' as cols
  union all
  select 'configurationcontext' as tab, 'customfield,project' as cols
  union all
  select 'confversion' as tab, 'buildnumber' as cols
  union all
  select 'content' as tab, 'content_status,contentid,contenttype,pageid,prevver,spaceid,version' as cols
  union all
  select 'content_perm' as tab, 'cps_id' as cols
  union all
  select 'content_perm_set' as tab, 'content_id,id' as cols
  union all
  select 'contentproperties' as tab, 'contentid,longval,propertyname' as cols
  union all
  select 'customfield' as tab, 'id,issueswithvalue' as cols
  union all
  select 'customfieldvalue' as tab, 'id' as cols
  union all
  select 'cwd_app_dir_mapping' as tab, 'allow_all' as cols
  union all
  select 'cwd_app_licensing' as tab, 'active,total_crowd_users,total_users' as cols
  union all
  select 'cwd_application' as tab, 'active' as cols
  union all
  select 'cwd_cluster_heartbeat' as tab, 'hearbeat_timestamp,node_id' as cols
  union all
  select 'cwd_directory' as tab, 'active,id,is_active' as cols
  union all
  select 'cwd_group' as tab, 'active,directory_id,id,is_active' as cols
  union all
  select 'cwd_membership' as tab, 'child_group_id,child_user_id,membership_type,parent_id' as cols
  union all
  select 'cwd_user' as tab, 'active,directory_id,id' as cols
  union all
  select 'fieldconfigscheme' as tab, 'fieldid' as cols
  union all
  select 'fieldlayoutscheme' as tab, 'id' as cols
  union all
  select 'fieldscreen' as tab, 'id' as cols
  union all
  select 'fieldscreenscheme' as tab, 'id' as cols
  union all
  select 'fileattachment' as tab, 'filesize' as cols
  union all
  select 'filtersubscription' as tab, 'filter_i_d' as cols
  union all
  select 'issue_version' as tab, 'issue_id' as cols
  union all
  select 'issuelink' as tab, 'destination,linktype,source' as cols
  union all
  select 'issuelinktype' as tab, 'id,pstyle' as cols
  union all
  select 'issuesecurityscheme' as tab, 'id' as cols
  union all
  select 'issuestatus' as tab, 'id' as cols
  union all
  select 'issuetype' as tab, 'id' as cols
  union all
  select 'issuetypescreenscheme' as tab, 'id' as cols
  union all
  select 'jiraaction' as tab, 'actiontype,id,issueid' as cols
  union all
  select 'jiraissue' as tab, 'archived,id,issuetype,project' as cols
  union all
  select 'jiraworkflows' as tab, 'id' as cols
  union all
  select 'nodeindexcounter' as tab, 'index_operation_id,node_id,sending_node_id' as cols
  union all
  select 'notificationscheme' as tab, 'id' as cols
  union all
  select 'permissionscheme' as tab, 'id' as cols
  union all
  select 'plugin_state' as tab, 'enabled,name' as cols
  union all
  select 'plugindata' as tab, 'pluginkey' as cols
  union all
  select 'pluginstate' as tab, 'pluginenabled,pluginkey' as cols
  union all
  select 'pluginversion' as tab, 'pluginkey,pluginname,pluginversion' as cols
  union all
  select 'portalpage' as tab, 'id' as cols
  union all
  select 'priority' as tab, 'id' as cols
  union all
  select 'project' as tab, 'id,project_id' as cols
  union all
  select 'projectversion' as tab, 'project' as cols
  union all
  select 'queue' as tab, 'queue_id' as cols
  union all
  select 'replicatedindexoperation' as tab, 'id,node_id' as cols
  union all
  select 'repository' as tab, 'hierarchy_id,is_archived,is_public,project_id,state' as cols
  union all
  select 'resolution' as tab, 'id' as cols
  union all
  select 'scheduler_run_details' as tab, 'id' as cols
  union all
  select 'searchrequest' as tab, 'id' as cols
  union all
  select 'spacepermissions' as tab, 'spaceid' as cols
  union all
  select 'spaces' as tab, 'spaceid,spacestatus,spacetype' as cols
  union all
  select 'sta_activity' as tab, 'id' as cols
  union all
  select 'sta_global_permission' as tab, 'user_id' as cols
  union all
  select 'sta_normal_project' as tab, 'is_public,project_id' as cols
  union all
  select 'sta_normal_user' as tab, 'deleted_timestamp,user_id' as cols
  union all
  select 'sta_personal_project' as tab, 'project_id' as cols
  union all
  select 'sta_pr_activity' as tab, 'activity_id' as cols
  union all
  select 'sta_pr_rescope_commit' as tab, 'activity_id' as cols
  union all
  select 'sta_project_permission' as tab, 'user_id' as cols
  union all
  select 'sta_pull_request' as tab, 'pr_state' as cols
  union all
  select 'sta_repo_origin' as tab, 'repository_id' as cols
  union all
  select 'sta_repo_permission' as tab, 'user_id' as cols
  union all
  select 'sta_service_user' as tab, 'user_id' as cols
  union all
  select 'workflowscheme' as tab, 'id' as cols
  union all
  select 'worklog' as tab, 'id,issueid' as cols
  union all
  select 'worklog_version' as tab, 'worklog_id' as cols
) w on lower(w.tab) = lower(c.table_name) and find_in_set(lower(c.column_name), lower(w.cols)) > 0
where c.table_schema = database()
group by c.table_name;

-- Single rows of tables that hold secrets as well, and counts of columns that name people.

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.id, t.entity_name, t.entity_id, t.property_key, t.propertytype from `@db@`.`@table@` t where t.property_key = ''jira.archiving.projects'' or (t.entity_name = ''GreenHopper.properties'' and t.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (t.entity_name = ''jira.properties'' and ( t.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or t.property_key like ''applinks.admin.____________________________________.name'' or t.property_key like ''applinks.admin.____________________________________.type'' or t.property_key like ''applinks.admin.____________________________________.url'' or t.property_key like ''applinks.admin.____________________________________.rpc.url'' or t.property_key like ''applinks.admin.____________________________________.display.url''));', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'propertyentry';

select replace(replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.id, t.propertyvalue from `@db@`.`@table@` t join `@db@`.`@joined1@` e on e.id = t.id where (e.entity_name = ''GreenHopper.properties'' and e.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (e.entity_name = ''jira.properties'' and ( e.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or e.property_key like ''applinks.admin.____________________________________.name'' or e.property_key like ''applinks.admin.____________________________________.type'' or e.property_key like ''applinks.admin.____________________________________.url'' or e.property_key like ''applinks.admin.____________________________________.rpc.url'' or e.property_key like ''applinks.admin.____________________________________.display.url''));', '@db@', database()), '@table@', t.table_name), '@joined1@', e1.table_name)
from information_schema.tables t join information_schema.tables e1 on e1.table_schema = t.table_schema and lower(e1.table_name) = 'propertyentry'
where t.table_schema = database() and lower(t.table_name) = 'propertystring';

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.id, t.feature_name, t.feature_type, t.user_key from `@db@`.`@table@` t where t.feature_type = ''site'' and (t.user_key is null or t.user_key = '''');', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'feature';

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.bandanacontext, t.bandanakey, case when t.bandanakey <> ''atlassian.confluence.settings'' then t.bandanavalue when locate(''<baseUrl>'', t.bandanavalue) > 0 then concat(''<baseUrl>'', substring_index(substring_index(t.bandanavalue, ''</baseUrl>'', 1), ''<baseUrl>'', -1), ''</baseUrl>'') end as bandanavalue from `@db@`.`@table@` t where t.bandanacontext = ''_GLOBAL'' and ( t.bandanakey in (''confluence.server.id'', ''atlassian.confluence.settings'', ''plugin.manager.state.Map'', ''confluence.darkfeature'') or t.bandanakey like ''applinks.admin.____________________________________.name'' or t.bandanakey like ''applinks.admin.____________________________________.type'' or t.bandanakey like ''applinks.admin.____________________________________.url'' or t.bandanakey like ''applinks.admin.____________________________________.rpc.url'' or t.bandanakey like ''applinks.admin.____________________________________.display.url'');', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'bandana';

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.namespace, t.key_name, t.key_value from `@db@`.`@table@` t where t.key_name like ''applinks.admin.____________________________________.name'' or t.key_name like ''applinks.admin.____________________________________.type'' or t.key_name like ''applinks.admin.____________________________________.url'' or t.key_name like ''applinks.admin.____________________________________.rpc.url'' or t.key_name like ''applinks.admin.____________________________________.display.url'';', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'plugin_setting'
  and exists (select 1 from information_schema.columns c where c.table_schema = t.table_schema
    and c.table_name = t.table_name and lower(c.column_name) = 'key_name')
  and exists (select 1 from information_schema.columns c where c.table_schema = t.table_schema
    and c.table_name = t.table_name and lower(c.column_name) = 'key_value');

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.namespace, t.setting_key, case when t.setting_key <> ''atlassian.confluence.settings'' then t.setting_value when replace(substring(t.setting_value, locate(''"baseUrl"'', t.setting_value) + 9, 1000), '' '', '''') like '':"%"%'' and locate(''"baseUrl"'', t.setting_value) > 0 then concat(''"baseUrl":"'', substring_index(substring(replace( substring(t.setting_value, locate(''"baseUrl"'', t.setting_value) + 9, 1000), '' '', ''''), 3), ''"'', 1), ''"'') end as setting_value from `@db@`.`@table@` t where t.namespace = ''_GLOBAL'' and ( t.setting_key in (''confluence.server.id'', ''atlassian.confluence.settings'') or t.setting_key like ''applinks.admin.____________________________________.name'' or t.setting_key like ''applinks.admin.____________________________________.type'' or t.setting_key like ''applinks.admin.____________________________________.url'' or t.setting_key like ''applinks.admin.____________________________________.rpc.url'' or t.setting_key like ''applinks.admin.____________________________________.display.url'');', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'plugin_setting'
  and exists (select 1 from information_schema.columns c where c.table_schema = t.table_schema
    and c.table_name = t.table_name and lower(c.column_name) = 'setting_key')
  and exists (select 1 from information_schema.columns c where c.table_schema = t.table_schema
    and c.table_name = t.table_name and lower(c.column_name) = 'setting_value');

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.prop_key, t.prop_value from `@db@`.`@table@` t where t.prop_key in (''instance.url'', ''server.id'');', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'app_property';

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.`@table@` as select t.property_key, t.property_name, t.property_value from `@db@`.`@table@` t where t.property_key = ''crowd'' and t.property_name in (''build.number'', ''base.url'');', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'cwd_property';

select replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.comments_by_author as select count(*) as n from `@db@`.`@table@` t where t.actiontype = ''comment'' and t.author is not null group by t.author;', '@db@', database()), '@table@', t.table_name)
from information_schema.tables t
where t.table_schema = database() and lower(t.table_name) = 'jiraaction';

select replace(replace(replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.groups_in_restrictions as select count(distinct t.groupname) as n from `@db@`.`@table@` t join `@db@`.`@joined1@` s on s.id = t.cps_id join `@db@`.`@joined2@` c on c.contentid = s.content_id where t.groupname is not null and c.prevver is null and c.content_status = ''current'';', '@db@', database()), '@table@', t.table_name), '@joined1@', e1.table_name), '@joined2@', e2.table_name)
from information_schema.tables t join information_schema.tables e1 on e1.table_schema = t.table_schema and lower(e1.table_name) = 'content_perm_set' join information_schema.tables e2 on e2.table_schema = t.table_schema and lower(e2.table_name) = 'content'
where t.table_schema = database() and lower(t.table_name) = 'content_perm';

select replace(replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.users_of_jira as select min(case when d.directory_position is null then 0 else d.directory_position end) as place, min(case when t.active <> 1 then null when d.directory_position is null then 0 else d.directory_position end) as active_place from `@db@`.`@table@` t join `@db@`.`@joined1@` d on d.id = t.directory_id where d.active = 1 group by t.lower_user_name;', '@db@', database()), '@table@', t.table_name), '@joined1@', e1.table_name)
from information_schema.tables t join information_schema.tables e1 on e1.table_schema = t.table_schema and lower(e1.table_name) = 'cwd_directory' join information_schema.tables e2 on e2.table_schema = t.table_schema and lower(e2.table_name) = 'jiraissue'
where t.table_schema = database() and lower(t.table_name) = 'cwd_user';

select replace(replace(replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.users_of_confluence as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from `@db@`.`@table@` t join `@db@`.`@joined1@` d on d.id = t.directory_id join `@db@`.`@joined2@` m on m.directory_id = d.id where d.active = ''T'' group by t.lower_user_name;', '@db@', database()), '@table@', t.table_name), '@joined1@', e1.table_name), '@joined2@', e2.table_name)
from information_schema.tables t join information_schema.tables e1 on e1.table_schema = t.table_schema and lower(e1.table_name) = 'cwd_directory' join information_schema.tables e2 on e2.table_schema = t.table_schema and lower(e2.table_name) = 'cwd_app_dir_mapping' join information_schema.tables e3 on e3.table_schema = t.table_schema and lower(e3.table_name) = 'content_perm_set'
where t.table_schema = database() and lower(t.table_name) = 'cwd_user';

select replace(replace(replace(replace('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view `portfolio_agent_@db@`.users_of_bitbucket as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.is_active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from `@db@`.`@table@` t join `@db@`.`@joined1@` d on d.id = t.directory_id join `@db@`.`@joined2@` m on m.directory_id = d.id where d.is_active = ''T'' group by t.lower_user_name;', '@db@', database()), '@table@', t.table_name), '@joined1@', e1.table_name), '@joined2@', e2.table_name)
from information_schema.tables t join information_schema.tables e1 on e1.table_schema = t.table_schema and lower(e1.table_name) = 'cwd_directory' join information_schema.tables e2 on e2.table_schema = t.table_schema and lower(e2.table_name) = 'cwd_app_dir_mapping' join information_schema.tables e3 on e3.table_schema = t.table_schema and lower(e3.table_name) = 'sta_normal_user'
where t.table_schema = database() and lower(t.table_name) = 'cwd_user';

-- About how many rows each table has, and since when InnoDB believes so; of a view MySQL does not tell.
select 'grant select on mysql.innodb_table_stats to portfolio_agent_views@localhost;';
select concat('create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view ',
              '`portfolio_agent_', database(), '`.table_estimates as select table_name, n_rows, last_update ',
              'from mysql.innodb_table_stats where database_name = ''', database(), ''';');

select concat('grant select on `portfolio_agent_', replace(replace(database(), '_', '\\_'), '%', '\\%'), '`.* to ',
              coalesce(@agent, 'portfolio_agent@''%'''), ';');
