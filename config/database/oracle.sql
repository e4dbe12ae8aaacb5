-- A read-only account for Portfolio Agent on Oracle 12.2 and later.
-- Made by scripts/database_roles from what the catalog reads and views.toml; do not edit. NOT YET RUN on a server: read it before you use it.
--
-- Run it as an administrator, and again after each upgrade of the product or of an app. Make the two accounts first;
-- product_owner below is the account of the product (the schema of its tables).
--
--   create user portfolio_agent identified by "...";
--   create user portfolio_agent_views identified by "..." account lock;
--   sqlplus / as sysdba @oracle.sql
--
-- What it grants: READ (not SELECT, which could also lock) on the views of portfolio_agent_views, one for each table
-- below with the columns below (of tables that also hold secrets: single rows). portfolio_agent_views is locked: nobody
-- can log in as it; it holds READ on the product's tables so that its views can show them. DBMS_LOCK lets the nodes of
-- a cluster agree on the one that counts; it writes nothing.
--
-- In agent.toml: [database] login = "own", dialect = "oracle", host, port, name (the service),
-- schema = "PORTFOLIO_AGENT_VIEWS", user = "portfolio_agent", password_file. Check it: portfolio-agent config check
--
-- Removal: drop user portfolio_agent_views cascade; drop user portfolio_agent cascade;

whenever sqlerror exit failure
grant create session to portfolio_agent;
grant execute on sys.dbms_lock to portfolio_agent;

declare
  product_owner constant varchar2(128) := 'JIRA';

  procedure shown(name varchar2, statement varchar2) is
  begin
    execute immediate statement;
    execute immediate 'grant read on portfolio_agent_views."' || name || '" to portfolio_agent';
  end;

  procedure lent(name varchar2) is
  begin
    execute immediate 'grant read on "' || product_owner || '"."' || name || '" to portfolio_agent_views with grant option';
  end;

  procedure narrowed(wanted varchar2, columns varchar2) is
    found varchar2(128);
    list varchar2(4000);
  begin
    select max(table_name) into found from all_tables t where t.owner = product_owner and upper(table_name) = upper(wanted);
    if found is null then
      return;
    end if;
    select listagg('"' || column_name || '"', ', ') within group (order by column_id) into list
    from all_tab_columns c where c.owner = product_owner and c.table_name = found
      and instr(',' || upper(columns) || ',', ',' || upper(column_name) || ',') > 0;
    if list is not null then
      lent(found);
      shown(found, 'create or replace view portfolio_agent_views."' || found || '" as select ' || list
        || ' from "' || product_owner || '"."' || found || '"');
    end if;
  end;

  procedure filtered(name varchar2, needs sys.odcivarchar2list, having_columns sys.odcivarchar2list, statement varchar2) is
    present number;
    told number;
  begin
    select count(*) into present from all_tables t
    where t.owner = product_owner and t.table_name in (select column_value from table(needs));
    select count(*) into told from all_tab_columns c
    where c.owner = product_owner and c.table_name = needs(1)
      and c.column_name in (select column_value from table(having_columns));
    if present = needs.count and told = having_columns.count then
      for number_of in 1 .. needs.count loop
        lent(needs(number_of));
      end loop;
      shown(upper(name), replace(statement, '@owner@', '"' || product_owner || '"'));
    end if;
  end;
begin
  narrowed('AO_319474_MESSAGE', 'ID,QUEUE_ID');
  narrowed('AO_319474_QUEUE', 'ID,MESSAGE_COUNT');
  narrowed('AO_4AEACD_WEBHOOK_DAO', 'ENABLED');
  narrowed('AO_54307E_GOAL', 'TIME_METRIC_ID');
  narrowed('AO_54307E_QUEUE', 'PROJECT_ID');
  narrowed('AO_54307E_SERVICEDESK', 'DISABLED,ID,PROJECT_ID');
  narrowed('AO_54307E_TIMEMETRIC', 'ID,SERVICE_DESK_ID');
  narrowed('AO_54307E_VIEWPORT', 'ID,PROJECT_ID');
  narrowed('AO_54307E_VIEWPORTFORM', 'VIEWPORT_ID');
  narrowed('AO_589059_AUTOMATION_QUEUE', 'ID');
  narrowed('AO_589059_RULE_CONFIG', 'STATE');
  narrowed('AO_60DB71_RAPIDVIEW', 'ID');
  narrowed('AO_60DB71_SPRINT', 'CLOSED');
  narrowed('AO_8542F1_IFJ_OBJ', 'ID,OBJECT_TYPE_ID');
  narrowed('AO_8542F1_IFJ_OBJ_ATTR', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_ATTR_VAL', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_HIST', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_JIRAISSUE', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_TYPE', 'ID,OBJECT_SCHEMA_ID');
  narrowed('AO_9B2E3B_RULE', 'ENABLED,RULESET_REVISION_ID');
  narrowed('AO_9B2E3B_RULESET', 'ACTIVE_REVISION_ID,ID');
  narrowed('AO_A0B856_WEBHOOK', 'ACTIVE');
  narrowed('AO_A0B856_WEB_HOOK_LISTENER_AO', 'ENABLED');
  narrowed('bb_pr_commit', 'pr_id');
  narrowed('build', 'build_type,full_key');
  narrowed('buildresultsummary', 'build_key,build_type');
  narrowed('changegroup', 'id,issueid');
  narrowed('changeitem', 'groupid,id');
  narrowed('clusternode', 'node_build_number,node_id,node_state,node_version');
  narrowed('comment_version', 'comment_id');
  narrowed('component', 'project');
  narrowed('confancestors', 'ancestorposition,descendentid');
  narrowed('configurationcontext', 'customfield,project');
  narrowed('confversion', 'buildnumber');
  narrowed('content', 'content_status,contentid,contenttype,pageid,prevver,spaceid,version');
  narrowed('content_perm', 'cps_id');
  narrowed('content_perm_set', 'content_id,id');
  narrowed('contentproperties', 'contentid,longval,propertyname');
  narrowed('customfield', 'id,issueswithvalue');
  narrowed('customfieldvalue', 'id');
  narrowed('cwd_app_dir_mapping', 'allow_all');
  narrowed('cwd_app_licensing', 'active,total_crowd_users,total_users');
  narrowed('cwd_application', 'active');
  narrowed('cwd_cluster_heartbeat', 'hearbeat_timestamp,node_id');
  narrowed('cwd_directory', 'active,id,is_active');
  narrowed('cwd_group', 'active,directory_id,id,is_active');
  narrowed('cwd_membership', 'child_group_id,child_user_id,membership_type,parent_id');
  narrowed('cwd_user', 'active,directory_id,id');
  narrowed('fieldconfigscheme', 'fieldid');
  narrowed('fieldlayoutscheme', 'id');
  narrowed('fieldscreen', 'id');
  narrowed('fieldscreenscheme', 'id');
  narrowed('fileattachment', 'filesize');
  narrowed('filtersubscription', 'filter_i_d');
  narrowed('issue_version', 'issue_id');
  narrowed('issuelink', 'destination,linktype,source');
  narrowed('issuelinktype', 'id,pstyle');
  narrowed('issuesecurityscheme', 'id');
  narrowed('issuestatus', 'id');
  narrowed('issuetype', 'id');
  narrowed('issuetypescreenscheme', 'id');
  narrowed('jiraaction', 'actiontype,id,issueid');
  narrowed('jiraissue', 'archived,id,issuetype,project');
  narrowed('jiraworkflows', 'id');
  narrowed('nodeindexcounter', 'index_operation_id,node_id,sending_node_id');
  narrowed('notificationscheme', 'id');
  narrowed('permissionscheme', 'id');
  narrowed('plugin_state', 'enabled,name');
  narrowed('plugindata', 'pluginkey');
  narrowed('pluginstate', 'pluginenabled,pluginkey');
  narrowed('pluginversion', 'pluginkey,pluginname,pluginversion');
  narrowed('portalpage', 'id');
  narrowed('priority', 'id');
  narrowed('project', 'id,project_id');
  narrowed('projectversion', 'project');
  narrowed('queue', 'queue_id');
  narrowed('replicatedindexoperation', 'id,node_id');
  narrowed('repository', 'hierarchy_id,is_archived,is_public,project_id,state');
  narrowed('resolution', 'id');
  narrowed('scheduler_run_details', 'id');
  narrowed('searchrequest', 'id');
  narrowed('spacepermissions', 'spaceid');
  narrowed('spaces', 'spaceid,spacestatus,spacetype');
  narrowed('sta_activity', 'id');
  narrowed('sta_global_permission', 'user_id');
  narrowed('sta_normal_project', 'is_public,project_id');
  narrowed('sta_normal_user', 'deleted_timestamp,user_id');
  narrowed('sta_personal_project', 'project_id');
  narrowed('sta_pr_activity', 'activity_id');
  narrowed('sta_pr_rescope_commit', 'activity_id');
  narrowed('sta_project_permission', 'user_id');
  narrowed('sta_pull_request', 'pr_state');
  narrowed('sta_repo_origin', 'repository_id');
  narrowed('sta_repo_permission', 'user_id');
  narrowed('sta_service_user', 'user_id');
  narrowed('workflowscheme', 'id');
  narrowed('worklog', 'id,issueid');
  narrowed('worklog_version', 'worklog_id');
  -- Single rows of tables that hold secrets as well, and counts of columns that name people.
  filtered('propertyentry', sys.odcivarchar2list('PROPERTYENTRY'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.propertyentry as select t.id, t.entity_name, t.entity_id, t.property_key, t.propertytype from @owner@.propertyentry t where t.property_key = ''jira.archiving.projects'' or (t.entity_name = ''GreenHopper.properties'' and t.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (t.entity_name = ''jira.properties'' and ( t.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or t.property_key like ''applinks.admin.____________________________________.name'' or t.property_key like ''applinks.admin.____________________________________.type'' or t.property_key like ''applinks.admin.____________________________________.url'' or t.property_key like ''applinks.admin.____________________________________.rpc.url'' or t.property_key like ''applinks.admin.____________________________________.display.url''))');
  filtered('propertystring', sys.odcivarchar2list('PROPERTYSTRING', 'PROPERTYENTRY'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.propertystring as select t.id, t.propertyvalue from @owner@.propertystring t join @owner@.propertyentry e on e.id = t.id where (e.entity_name = ''GreenHopper.properties'' and e.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (e.entity_name = ''jira.properties'' and ( e.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or e.property_key like ''applinks.admin.____________________________________.name'' or e.property_key like ''applinks.admin.____________________________________.type'' or e.property_key like ''applinks.admin.____________________________________.url'' or e.property_key like ''applinks.admin.____________________________________.rpc.url'' or e.property_key like ''applinks.admin.____________________________________.display.url''))');
  filtered('feature', sys.odcivarchar2list('FEATURE'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.feature as select t.id, t.feature_name, t.feature_type, t.user_key from @owner@.feature t where t.feature_type = ''site'' and (t.user_key is null or t.user_key = '''')');
  filtered('bandana', sys.odcivarchar2list('BANDANA'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.bandana as select t.bandanacontext, t.bandanakey, case when t.bandanakey = ''atlassian.confluence.settings'' then to_clob(regexp_substr(t.bandanavalue, ''<baseUrl>[^<]*</baseUrl>'')) else to_clob(t.bandanavalue) end as bandanavalue from @owner@.bandana t where t.bandanacontext = ''_GLOBAL'' and ( t.bandanakey in (''confluence.server.id'', ''atlassian.confluence.settings'', ''plugin.manager.state.Map'', ''confluence.darkfeature'') or t.bandanakey like ''applinks.admin.____________________________________.name'' or t.bandanakey like ''applinks.admin.____________________________________.type'' or t.bandanakey like ''applinks.admin.____________________________________.url'' or t.bandanakey like ''applinks.admin.____________________________________.rpc.url'' or t.bandanakey like ''applinks.admin.____________________________________.display.url'')');
  filtered('plugin_setting', sys.odcivarchar2list('PLUGIN_SETTING'), sys.odcivarchar2list('KEY_NAME', 'KEY_VALUE'),
    'create or replace view portfolio_agent_views.plugin_setting as select t.namespace, t.key_name, t.key_value from @owner@.plugin_setting t where t.key_name like ''applinks.admin.____________________________________.name'' or t.key_name like ''applinks.admin.____________________________________.type'' or t.key_name like ''applinks.admin.____________________________________.url'' or t.key_name like ''applinks.admin.____________________________________.rpc.url'' or t.key_name like ''applinks.admin.____________________________________.display.url''');
  filtered('plugin_setting', sys.odcivarchar2list('PLUGIN_SETTING'), sys.odcivarchar2list('SETTING_KEY', 'SETTING_VALUE'),
    'create or replace view portfolio_agent_views.plugin_setting as select t.namespace, t.setting_key, case when t.setting_key = ''atlassian.confluence.settings'' then to_clob(regexp_substr(t.setting_value, ''"baseUrl"[[:space:]]*:[[:space:]]*"[^"]*"'')) else to_clob(t.setting_value) end as setting_value from @owner@.plugin_setting t where t.namespace = ''_GLOBAL'' and ( t.setting_key in (''confluence.server.id'', ''atlassian.confluence.settings'') or t.setting_key like ''applinks.admin.____________________________________.name'' or t.setting_key like ''applinks.admin.____________________________________.type'' or t.setting_key like ''applinks.admin.____________________________________.url'' or t.setting_key like ''applinks.admin.____________________________________.rpc.url'' or t.setting_key like ''applinks.admin.____________________________________.display.url'')');
  filtered('app_property', sys.odcivarchar2list('APP_PROPERTY'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.app_property as select t.prop_key, t.prop_value from @owner@.app_property t where t.prop_key in (''instance.url'', ''server.id'')');
  filtered('cwd_property', sys.odcivarchar2list('CWD_PROPERTY'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.cwd_property as select t.property_key, t.property_name, t.property_value from @owner@.cwd_property t where t.property_key = ''crowd'' and t.property_name in (''build.number'', ''base.url'')');
  filtered('comments_by_author', sys.odcivarchar2list('JIRAACTION'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.comments_by_author as select count(*) as n from @owner@.jiraaction t where t.actiontype = ''comment'' and t.author is not null group by t.author');
  filtered('groups_in_restrictions', sys.odcivarchar2list('CONTENT_PERM', 'CONTENT_PERM_SET', 'CONTENT'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.groups_in_restrictions as select count(distinct t.groupname) as n from @owner@.content_perm t join @owner@.content_perm_set s on s.id = t.cps_id join @owner@.content c on c.contentid = s.content_id where t.groupname is not null and c.prevver is null and c.content_status = ''current''');
  filtered('users_of_jira', sys.odcivarchar2list('CWD_USER', 'CWD_DIRECTORY', 'JIRAISSUE'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.users_of_jira as select min(case when d.directory_position is null then 0 else d.directory_position end) as place, min(case when t.active <> 1 then null when d.directory_position is null then 0 else d.directory_position end) as active_place from @owner@.cwd_user t join @owner@.cwd_directory d on d.id = t.directory_id where d.active = 1 group by t.lower_user_name');
  filtered('users_of_confluence', sys.odcivarchar2list('CWD_USER', 'CWD_DIRECTORY', 'CWD_APP_DIR_MAPPING', 'CONTENT_PERM_SET'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.users_of_confluence as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from @owner@.cwd_user t join @owner@.cwd_directory d on d.id = t.directory_id join @owner@.cwd_app_dir_mapping m on m.directory_id = d.id where d.active = ''T'' group by t.lower_user_name');
  filtered('users_of_bitbucket', sys.odcivarchar2list('CWD_USER', 'CWD_DIRECTORY', 'CWD_APP_DIR_MAPPING', 'STA_NORMAL_USER'), sys.odcivarchar2list(),
    'create or replace view portfolio_agent_views.users_of_bitbucket as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.is_active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from @owner@.cwd_user t join @owner@.cwd_directory d on d.id = t.directory_id join @owner@.cwd_app_dir_mapping m on m.directory_id = d.id where d.is_active = ''T'' group by t.lower_user_name');
end;
/
