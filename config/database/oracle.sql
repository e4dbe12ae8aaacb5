-- A read-only account for Portfolio Agent on Oracle 12.2 and later.
-- Made from tables.toml by scripts/database_roles; do not edit. NOT YET RUN on a server: read it before you use it.
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

  procedure filtered(name varchar2, needs sys.odcivarchar2list, statement varchar2) is
    present number;
  begin
    select count(*) into present from all_tables t
    where t.owner = product_owner and t.table_name in (select column_value from table(needs));
    if present = needs.count then
      for number_of in 1 .. needs.count loop
        lent(needs(number_of));
      end loop;
      shown(upper(name), replace(statement, '@owner@', '"' || product_owner || '"'));
    end if;
  end;
begin
  narrowed('project', 'id,project_id');
  narrowed('jiraissue', 'id,project,issuetype,archived');
  narrowed('jiraaction', 'id,issueid,actiontype');
  narrowed('changegroup', 'id,issueid');
  narrowed('changeitem', 'id,groupid');
  narrowed('issuelink', 'id,source,destination');
  narrowed('fileattachment', 'id,issueid,filesize');
  narrowed('worklog', 'id,issueid');
  narrowed('issue_version', 'issue_id');
  narrowed('comment_version', 'comment_id');
  narrowed('worklog_version', 'worklog_id');
  narrowed('customfield', 'id,issueswithvalue');
  narrowed('customfieldvalue', 'id,customfield,issue');
  narrowed('fieldconfigscheme', 'id,fieldid');
  narrowed('configurationcontext', 'id,project,customfield,fieldconfigscheme');
  narrowed('issuetype', 'id');
  narrowed('issuestatus', 'id');
  narrowed('priority', 'id');
  narrowed('resolution', 'id');
  narrowed('component', 'id,project');
  narrowed('projectversion', 'id,project');
  narrowed('fieldscreen', 'id');
  narrowed('fieldscreenscheme', 'id');
  narrowed('fieldlayoutscheme', 'id');
  narrowed('issuetypescreenscheme', 'id');
  narrowed('issuesecurityscheme', 'id');
  narrowed('permissionscheme', 'id');
  narrowed('notificationscheme', 'id');
  narrowed('jiraworkflows', 'id');
  narrowed('workflowscheme', 'id');
  narrowed('searchrequest', 'id');
  narrowed('portalpage', 'id');
  narrowed('filtersubscription', 'id');
  narrowed('pluginversion', 'pluginname,pluginkey,pluginversion');
  narrowed('pluginstate', 'pluginkey,pluginenabled');
  narrowed('clusternode', 'node_id,node_state,node_build_number,node_version');
  narrowed('nodeindexcounter', 'node_id,sending_node_id,index_operation_id');
  narrowed('replicatedindexoperation', 'id,node_id');
  narrowed('AO_60DB71_SPRINT', 'ID,CLOSED,STARTED,RAPID_VIEW_ID');
  narrowed('AO_60DB71_RAPIDVIEW', 'ID,SPRINTS_ENABLED');
  narrowed('AO_4AEACD_WEBHOOK_DAO', 'ID,ENABLED');
  narrowed('AO_A0B856_WEB_HOOK_LISTENER_AO', 'ID,ENABLED');
  narrowed('AO_A0B856_WEBHOOK', 'ID,ACTIVE');
  narrowed('AO_589059_RULE_CONFIG', 'ID,STATE');
  narrowed('AO_589059_AUTOMATION_QUEUE', 'ID,CREATED');
  narrowed('AO_54307E_SERVICEDESK', 'ID,PROJECT_ID,DISABLED');
  narrowed('AO_54307E_VIEWPORT', 'ID,PROJECT_ID');
  narrowed('AO_54307E_VIEWPORTFORM', 'ID,VIEWPORT_ID');
  narrowed('AO_54307E_QUEUE', 'ID,PROJECT_ID');
  narrowed('AO_54307E_TIMEMETRIC', 'ID,SERVICE_DESK_ID');
  narrowed('AO_54307E_GOAL', 'ID,TIME_METRIC_ID');
  narrowed('AO_9B2E3B_RULESET', 'ID,ACTIVE_REVISION_ID');
  narrowed('AO_9B2E3B_RULE', 'ID,ENABLED,RULESET_REVISION_ID');
  narrowed('AO_319474_QUEUE', 'ID,MESSAGE_COUNT');
  narrowed('AO_319474_MESSAGE', 'ID,QUEUE_ID');
  narrowed('AO_8542F1_IFJ_OBJ', 'ID,OBJECT_TYPE_ID');
  narrowed('AO_8542F1_IFJ_OBJ_TYPE', 'ID,OBJECT_SCHEMA_ID');
  narrowed('AO_8542F1_IFJ_OBJ_ATTR', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_ATTR_VAL', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_HIST', 'ID');
  narrowed('AO_8542F1_IFJ_OBJ_JIRAISSUE', 'ID');
  narrowed('cwd_user', 'id,directory_id,active,is_active');
  narrowed('cwd_group', 'id,directory_id,active,is_active');
  narrowed('cwd_directory', 'id,active,is_active');
  narrowed('cwd_membership', 'id,parent_id,child_id,child_group_id,child_user_id,membership_type,directory_id');
  narrowed('cwd_application', 'id,application_type,active,is_active');
  narrowed('cwd_app_dir_mapping', 'id,application_id,directory_id,allow_all');
  narrowed('cwd_cluster_heartbeat', 'node_id,hearbeat_timestamp');
  narrowed('cwd_app_licensing', 'id,total_users,total_crowd_users,active');
  narrowed('spaces', 'spaceid,spacetype,spacestatus');
  narrowed('content', 'contentid,contenttype,content_status,prevver,version,spaceid,pageid');
  narrowed('contentproperties', 'contentid,propertyname,longval');
  narrowed('confancestors', 'descendentid,ancestorposition,ancestorid');
  narrowed('spacepermissions', 'permid,spaceid,permtype');
  narrowed('content_perm_set', 'id,content_id,cont_perm_type');
  narrowed('content_perm', 'id,cps_id');
  narrowed('plugindata', 'pluginkey');
  narrowed('confversion', 'buildnumber');
  narrowed('sta_normal_project', 'project_id,is_public');
  narrowed('sta_personal_project', 'project_id');
  narrowed('repository', 'id,state,project_id,hierarchy_id,is_forkable,is_public');
  narrowed('sta_pull_request', 'id,pr_state,to_repository_id');
  narrowed('sta_pr_activity', 'activity_id');
  narrowed('sta_pr_rescope_commit', 'activity_id');
  narrowed('bb_pr_commit', 'pr_id');
  narrowed('sta_activity', 'id');
  narrowed('sta_normal_user', 'user_id,deleted_timestamp');
  narrowed('sta_service_user', 'user_id,active');
  narrowed('sta_global_permission', 'id,perm_id');
  narrowed('sta_project_permission', 'id,perm_id,project_id');
  narrowed('sta_repo_origin', 'repository_id');
  narrowed('sta_repo_permission', 'id,perm_id,repo_id');
  narrowed('plugin_state', 'name,enabled');
  narrowed('buildresultsummary', 'build_key,build_number,build_type,build_state');
  narrowed('build', 'build_id,build_type');
  narrowed('queue', 'queue_id');
  -- Single rows of tables that hold secrets as well, and counts of columns that name people.
  filtered('propertyentry', sys.odcivarchar2list('PROPERTYENTRY'),
    'create or replace view portfolio_agent_views.propertyentry as select t.id, t.entity_name, t.entity_id, t.property_key, t.propertytype from @owner@.propertyentry t where t.property_key = ''jira.archiving.projects'' or (t.entity_name = ''GreenHopper.properties'' and t.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (t.entity_name = ''jira.properties'' and ( t.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'') or t.property_key like ''applinks.admin.____________________________________.name'' or t.property_key like ''applinks.admin.____________________________________.type'' or t.property_key like ''applinks.admin.____________________________________.url'' or t.property_key like ''applinks.admin.____________________________________.rpc.url'' or t.property_key like ''applinks.admin.____________________________________.display.url''))');
  filtered('propertystring', sys.odcivarchar2list('PROPERTYSTRING', 'PROPERTYENTRY'),
    'create or replace view portfolio_agent_views.propertystring as select t.id, t.propertyvalue from @owner@.propertystring t join @owner@.propertyentry e on e.id = t.id where (e.entity_name = ''GreenHopper.properties'' and e.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (e.entity_name = ''jira.properties'' and ( e.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'') or e.property_key like ''applinks.admin.____________________________________.name'' or e.property_key like ''applinks.admin.____________________________________.type'' or e.property_key like ''applinks.admin.____________________________________.url'' or e.property_key like ''applinks.admin.____________________________________.rpc.url'' or e.property_key like ''applinks.admin.____________________________________.display.url''))');
  filtered('feature', sys.odcivarchar2list('FEATURE'),
    'create or replace view portfolio_agent_views.feature as select t.id, t.feature_name, t.feature_type, t.user_key from @owner@.feature t where t.feature_type = ''site'' and (t.user_key is null or t.user_key = '''')');
  filtered('bandana', sys.odcivarchar2list('BANDANA'),
    'create or replace view portfolio_agent_views.bandana as select t.bandanacontext, t.bandanakey, case when t.bandanakey = ''atlassian.confluence.settings'' then to_clob(regexp_substr(t.bandanavalue, ''<baseUrl>[^<]*</baseUrl>'')) else to_clob(t.bandanavalue) end as bandanavalue from @owner@.bandana t where t.bandanacontext = ''_GLOBAL'' and ( t.bandanakey in (''confluence.server.id'', ''atlassian.confluence.settings'', ''plugin.manager.state.Map'', ''confluence.darkfeature'') or t.bandanakey like ''applinks.admin.____________________________________.name'' or t.bandanakey like ''applinks.admin.____________________________________.type'' or t.bandanakey like ''applinks.admin.____________________________________.url'' or t.bandanakey like ''applinks.admin.____________________________________.rpc.url'' or t.bandanakey like ''applinks.admin.____________________________________.display.url'')');
  filtered('plugin_setting', sys.odcivarchar2list('PLUGIN_SETTING'),
    'create or replace view portfolio_agent_views.plugin_setting as select t.namespace, t.key_name, t.key_value from @owner@.plugin_setting t where t.key_name like ''applinks.admin.____________________________________.name'' or t.key_name like ''applinks.admin.____________________________________.type'' or t.key_name like ''applinks.admin.____________________________________.url'' or t.key_name like ''applinks.admin.____________________________________.rpc.url'' or t.key_name like ''applinks.admin.____________________________________.display.url''');
  filtered('app_property', sys.odcivarchar2list('APP_PROPERTY'),
    'create or replace view portfolio_agent_views.app_property as select t.prop_key, t.prop_value from @owner@.app_property t where t.prop_key in (''instance.url'', ''server.id'')');
  filtered('cwd_property', sys.odcivarchar2list('CWD_PROPERTY'),
    'create or replace view portfolio_agent_views.cwd_property as select t.property_key, t.property_name, t.property_value from @owner@.cwd_property t where t.property_key = ''crowd'' and t.property_name in (''build.number'', ''base.url'')');
  filtered('comments_by_author', sys.odcivarchar2list('JIRAACTION'),
    'create or replace view portfolio_agent_views.comments_by_author as select count(*) as n from @owner@.jiraaction t where t.actiontype = ''comment'' group by t.author');
  filtered('groups_in_restrictions', sys.odcivarchar2list('CONTENT_PERM'),
    'create or replace view portfolio_agent_views.groups_in_restrictions as select count(distinct t.groupname) as n from @owner@.content_perm t where t.groupname is not null');
end;
/
