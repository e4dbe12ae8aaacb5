-- A read-only account for Portfolio Agent on SQL Server 2016 and later.
-- Made by scripts/database_roles from what the catalog reads and views.toml; do not edit. NOT YET RUN on a server: read it before you use it.
--
-- Run it as db_owner in the product's database, and again after each upgrade of the product or of an app. Make the
-- login first, with a password of yours; @schema below is where the product's tables are (dbconfig.xml: schema-name).
--
--   create login portfolio_agent with password = '...', default_database = [jira];
--   sqlcmd -d jira -i sqlserver.sql
--
-- What it grants: select on the schema portfolio_agent, which holds one view for each table below with the columns
-- below (of tables that also hold secrets: single rows). The schema belongs to the owner of the product's schema, so
-- the views can read its tables while the account cannot. Nothing else is granted, and nothing can be written.
--
-- In agent.toml: [database] login = "own", dialect = "sqlserver", host, port, name, user = "portfolio_agent",
-- password_file. Check it: portfolio-agent config check
--
-- Removal: drop the views of the schema portfolio_agent, then:
--   drop user portfolio_agent; drop schema portfolio_agent; drop login portfolio_agent;

set nocount on;
declare @schema sysname = N'jiraschema';
declare @statement nvarchar(max);
declare @owner sysname = (select p.name from sys.schemas s join sys.database_principals p
  on p.principal_id = s.principal_id where s.name = @schema);

if schema_id(N'portfolio_agent') is null
begin
  set @statement = N'create schema portfolio_agent authorization ' + quotename(@owner);
  exec sp_executesql @statement;
end
if database_principal_id(N'portfolio_agent') is null
  create user portfolio_agent for login portfolio_agent with default_schema = portfolio_agent;

-- Every run begins anew.
set @statement = N'';
select @statement = @statement + N'drop view portfolio_agent.' + quotename(name) + N'; '
from sys.views where schema_id = schema_id(N'portfolio_agent');
exec sp_executesql @statement;

declare @wanted table (tab sysname, cols nvarchar(1000));
insert into @wanted values
  (N'AO_319474_MESSAGE', N'ID,QUEUE_ID'),
  (N'AO_319474_QUEUE', N'ID,MESSAGE_COUNT'),
  (N'AO_4AEACD_WEBHOOK_DAO', N'ENABLED'),
  (N'AO_54307E_GOAL', N'TIME_METRIC_ID'),
  (N'AO_54307E_QUEUE', N'PROJECT_ID'),
  (N'AO_54307E_SERVICEDESK', N'DISABLED,ID,PROJECT_ID'),
  (N'AO_54307E_TIMEMETRIC', N'ID,SERVICE_DESK_ID'),
  (N'AO_54307E_VIEWPORT', N'ID,PROJECT_ID'),
  (N'AO_54307E_VIEWPORTFORM', N'VIEWPORT_ID'),
  (N'AO_589059_AUTOMATION_QUEUE', N'ID'),
  (N'AO_589059_RULE_CONFIG', N'STATE'),
  (N'AO_60DB71_RAPIDVIEW', N'ID'),
  (N'AO_60DB71_SPRINT', N'CLOSED'),
  (N'AO_8542F1_IFJ_OBJ', N'ID,OBJECT_TYPE_ID'),
  (N'AO_8542F1_IFJ_OBJ_ATTR', N'ID'),
  (N'AO_8542F1_IFJ_OBJ_ATTR_VAL', N'ID'),
  (N'AO_8542F1_IFJ_OBJ_HIST', N'ID'),
  (N'AO_8542F1_IFJ_OBJ_JIRAISSUE', N'ID'),
  (N'AO_8542F1_IFJ_OBJ_TYPE', N'ID,OBJECT_SCHEMA_ID'),
  (N'AO_9B2E3B_RULE', N'ENABLED,RULESET_REVISION_ID'),
  (N'AO_9B2E3B_RULESET', N'ACTIVE_REVISION_ID,ID'),
  (N'AO_A0B856_WEBHOOK', N'ACTIVE'),
  (N'AO_A0B856_WEB_HOOK_LISTENER_AO', N'ENABLED'),
  (N'bb_pr_commit', N'pr_id'),
  (N'build', N'build_type,full_key'),
  (N'buildresultsummary', N'build_key,build_type'),
  (N'changegroup', N'id,issueid'),
  (N'changeitem', N'groupid,id'),
  (N'clusternode', N'node_build_number,node_id,node_state,node_version'),
  (N'comment_version', N'comment_id'),
  (N'component', N'project'),
  (N'confancestors', N'ancestorposition,descendentid'),
  (N'configurationcontext', N'customfield,project'),
  (N'confversion', N'buildnumber'),
  (N'content', N'content_status,contentid,contenttype,pageid,prevver,spaceid,version'),
  (N'content_perm', N'cps_id'),
  (N'content_perm_set', N'content_id,id'),
  (N'contentproperties', N'contentid,longval,propertyname'),
  (N'customfield', N'id,issueswithvalue'),
  (N'customfieldvalue', N'id'),
  (N'cwd_app_dir_mapping', N'allow_all'),
  (N'cwd_app_licensing', N'active,total_crowd_users,total_users'),
  (N'cwd_application', N'active'),
  (N'cwd_cluster_heartbeat', N'hearbeat_timestamp,node_id'),
  (N'cwd_directory', N'active,id,is_active'),
  (N'cwd_group', N'active,directory_id,id,is_active'),
  (N'cwd_membership', N'child_group_id,child_user_id,membership_type,parent_id'),
  (N'cwd_user', N'active,directory_id,id'),
  (N'fieldconfigscheme', N'fieldid'),
  (N'fieldlayoutscheme', N'id'),
  (N'fieldscreen', N'id'),
  (N'fieldscreenscheme', N'id'),
  (N'fileattachment', N'filesize'),
  (N'filtersubscription', N'filter_i_d'),
  (N'issue_version', N'issue_id'),
  (N'issuelink', N'destination,linktype,source'),
  (N'issuelinktype', N'id,pstyle'),
  (N'issuesecurityscheme', N'id'),
  (N'issuestatus', N'id'),
  (N'issuetype', N'id'),
  (N'issuetypescreenscheme', N'id'),
  (N'jiraaction', N'actiontype,id,issueid'),
  (N'jiraissue', N'archived,id,issuetype,project'),
  (N'jiraworkflows', N'id'),
  (N'nodeindexcounter', N'index_operation_id,node_id,sending_node_id'),
  (N'notificationscheme', N'id'),
  (N'permissionscheme', N'id'),
  (N'plugin_state', N'enabled,name'),
  (N'plugindata', N'pluginkey'),
  (N'pluginstate', N'pluginenabled,pluginkey'),
  (N'pluginversion', N'pluginkey,pluginname,pluginversion'),
  (N'portalpage', N'id'),
  (N'priority', N'id'),
  (N'project', N'id,project_id'),
  (N'projectversion', N'project'),
  (N'queue', N'queue_id'),
  (N'replicatedindexoperation', N'id,node_id'),
  (N'repository', N'hierarchy_id,is_archived,is_public,project_id,state'),
  (N'resolution', N'id'),
  (N'scheduler_run_details', N'id'),
  (N'searchrequest', N'id'),
  (N'spacepermissions', N'spaceid'),
  (N'spaces', N'spaceid,spacestatus,spacetype'),
  (N'sta_activity', N'id'),
  (N'sta_global_permission', N'user_id'),
  (N'sta_normal_project', N'is_public,project_id'),
  (N'sta_normal_user', N'deleted_timestamp,user_id'),
  (N'sta_personal_project', N'project_id'),
  (N'sta_pr_activity', N'activity_id'),
  (N'sta_pr_rescope_commit', N'activity_id'),
  (N'sta_project_permission', N'user_id'),
  (N'sta_pull_request', N'pr_state'),
  (N'sta_repo_origin', N'repository_id'),
  (N'sta_repo_permission', N'user_id'),
  (N'sta_service_user', N'user_id'),
  (N'workflowscheme', N'id'),
  (N'worklog', N'id,issueid'),
  (N'worklog_version', N'worklog_id');

declare @table sysname, @columns nvarchar(max);
declare every_table cursor local fast_forward for
  select o.name, stuff((select N', ' + quotename(c.name) from sys.columns c
      where c.object_id = o.object_id and N',' + lower(w.cols) + N',' like N'%,' + lower(c.name) + N',%'
      order by c.column_id for xml path(''), type).value('.', 'nvarchar(max)'), 1, 2, N'')
  from @wanted w join sys.tables o on lower(o.name) = lower(w.tab) and o.schema_id = schema_id(@schema);
open every_table;
fetch next from every_table into @table, @columns;
while @@fetch_status = 0
begin
  if @columns is not null
  begin
    set @statement = N'create view portfolio_agent.' + quotename(@table) + N' as select ' + @columns + N' from '
      + quotename(@schema) + N'.' + quotename(@table);
    exec sp_executesql @statement;
  end
  fetch next from every_table into @table, @columns;
end
close every_table;
deallocate every_table;

-- Single rows of tables that hold secrets as well, and counts of columns that name people.

if object_id(@schema + N'.propertyentry', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.propertyentry as select t.id, t.entity_name, t.entity_id, t.property_key, t.propertytype from @schema@.propertyentry t where t.property_key = ''jira.archiving.projects'' or (t.entity_name = ''GreenHopper.properties'' and t.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (t.entity_name = ''jira.properties'' and ( t.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or t.property_key like ''applinks.admin.____________________________________.name'' or t.property_key like ''applinks.admin.____________________________________.type'' or t.property_key like ''applinks.admin.____________________________________.url'' or t.property_key like ''applinks.admin.____________________________________.rpc.url'' or t.property_key like ''applinks.admin.____________________________________.display.url''))', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.propertystring', 'U') is not null and object_id(@schema + N'.propertyentry', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.propertystring as select t.id, t.propertyvalue from @schema@.propertystring t join @schema@.propertyentry e on e.id = t.id where (e.entity_name = ''GreenHopper.properties'' and e.property_key = ''GreenHopper.Epic.Default.issuetype.id'') or (e.entity_name = ''jira.properties'' and ( e.property_key in (''jira.sid.key'', ''jira.baseurl'', ''jira.version'', ''jira.version.patched'', ''jvm.system.timezone'', ''jira.safeguards.issue.comments'') or e.property_key like ''applinks.admin.____________________________________.name'' or e.property_key like ''applinks.admin.____________________________________.type'' or e.property_key like ''applinks.admin.____________________________________.url'' or e.property_key like ''applinks.admin.____________________________________.rpc.url'' or e.property_key like ''applinks.admin.____________________________________.display.url''))', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.feature', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.feature as select t.id, t.feature_name, t.feature_type, t.user_key from @schema@.feature t where t.feature_type = ''site'' and (t.user_key is null or t.user_key = '''')', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.bandana', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.bandana as select t.bandanacontext, t.bandanakey, case when t.bandanakey <> ''atlassian.confluence.settings'' then cast(t.bandanavalue as nvarchar(max)) when charindex(''<baseUrl>'', cast(t.bandanavalue as nvarchar(max))) between 1 and charindex(''</baseUrl>'', cast(t.bandanavalue as nvarchar(max))) then substring(cast(t.bandanavalue as nvarchar(max)), charindex(''<baseUrl>'', cast(t.bandanavalue as nvarchar(max))), charindex(''</baseUrl>'', cast(t.bandanavalue as nvarchar(max))) + 10 - charindex(''<baseUrl>'', cast(t.bandanavalue as nvarchar(max)))) end as bandanavalue from @schema@.bandana t where t.bandanacontext = ''_GLOBAL'' and ( t.bandanakey in (''confluence.server.id'', ''atlassian.confluence.settings'', ''plugin.manager.state.Map'', ''confluence.darkfeature'') or t.bandanakey like ''applinks.admin.____________________________________.name'' or t.bandanakey like ''applinks.admin.____________________________________.type'' or t.bandanakey like ''applinks.admin.____________________________________.url'' or t.bandanakey like ''applinks.admin.____________________________________.rpc.url'' or t.bandanakey like ''applinks.admin.____________________________________.display.url'')', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.plugin_setting', 'U') is not null and col_length(@schema + N'.plugin_setting', N'key_name') is not null and col_length(@schema + N'.plugin_setting', N'key_value') is not null
begin
  set @statement = replace(N'create view portfolio_agent.plugin_setting as select t.namespace, t.key_name, t.key_value from @schema@.plugin_setting t where t.key_name like ''applinks.admin.____________________________________.name'' or t.key_name like ''applinks.admin.____________________________________.type'' or t.key_name like ''applinks.admin.____________________________________.url'' or t.key_name like ''applinks.admin.____________________________________.rpc.url'' or t.key_name like ''applinks.admin.____________________________________.display.url''', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.plugin_setting', 'U') is not null and col_length(@schema + N'.plugin_setting', N'setting_key') is not null and col_length(@schema + N'.plugin_setting', N'setting_value') is not null
begin
  set @statement = replace(N'create view portfolio_agent.plugin_setting as select t.namespace, t.setting_key, case when t.setting_key <> ''atlassian.confluence.settings'' then cast(t.setting_value as nvarchar(max)) when charindex(''"baseUrl"'', cast(t.setting_value as nvarchar(max))) > 0 and replace(substring(cast(t.setting_value as nvarchar(max)), charindex(''"baseUrl"'', cast(t.setting_value as nvarchar(max))) + 9, 1000), '' '', '''') like '':"%"%'' then ''"baseUrl":"'' + substring( replace(substring(cast(t.setting_value as nvarchar(max)), charindex(''"baseUrl"'', cast(t.setting_value as nvarchar(max))) + 9, 1000), '' '', ''''), 3, charindex(''"'', replace(substring(cast(t.setting_value as nvarchar(max)), charindex(''"baseUrl"'', cast(t.setting_value as nvarchar(max))) + 9, 1000), '' '', ''''), 3) - 2) end as setting_value from @schema@.plugin_setting t where t.namespace = ''_GLOBAL'' and ( t.setting_key in (''confluence.server.id'', ''atlassian.confluence.settings'') or t.setting_key like ''applinks.admin.____________________________________.name'' or t.setting_key like ''applinks.admin.____________________________________.type'' or t.setting_key like ''applinks.admin.____________________________________.url'' or t.setting_key like ''applinks.admin.____________________________________.rpc.url'' or t.setting_key like ''applinks.admin.____________________________________.display.url'')', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.app_property', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.app_property as select t.prop_key, t.prop_value from @schema@.app_property t where t.prop_key in (''instance.url'', ''server.id'')', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.cwd_property', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.cwd_property as select t.property_key, t.property_name, t.property_value from @schema@.cwd_property t where t.property_key = ''crowd'' and t.property_name in (''build.number'', ''base.url'')', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.jiraaction', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.comments_by_author as select count(*) as n from @schema@.jiraaction t where t.actiontype = ''comment'' and t.author is not null group by t.author', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.content_perm', 'U') is not null and object_id(@schema + N'.content_perm_set', 'U') is not null and object_id(@schema + N'.content', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.groups_in_restrictions as select count(distinct t.groupname) as n from @schema@.content_perm t join @schema@.content_perm_set s on s.id = t.cps_id join @schema@.content c on c.contentid = s.content_id where t.groupname is not null and c.prevver is null and c.content_status = ''current''', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.cwd_user', 'U') is not null and object_id(@schema + N'.cwd_directory', 'U') is not null and object_id(@schema + N'.jiraissue', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.users_of_jira as select min(case when d.directory_position is null then 0 else d.directory_position end) as place, min(case when t.active <> 1 then null when d.directory_position is null then 0 else d.directory_position end) as active_place from @schema@.cwd_user t join @schema@.cwd_directory d on d.id = t.directory_id where d.active = 1 group by t.lower_user_name', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.cwd_user', 'U') is not null and object_id(@schema + N'.cwd_directory', 'U') is not null and object_id(@schema + N'.cwd_app_dir_mapping', 'U') is not null and object_id(@schema + N'.content_perm_set', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.users_of_confluence as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from @schema@.cwd_user t join @schema@.cwd_directory d on d.id = t.directory_id join @schema@.cwd_app_dir_mapping m on m.directory_id = d.id where d.active = ''T'' group by t.lower_user_name', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

if object_id(@schema + N'.cwd_user', 'U') is not null and object_id(@schema + N'.cwd_directory', 'U') is not null and object_id(@schema + N'.cwd_app_dir_mapping', 'U') is not null and object_id(@schema + N'.sta_normal_user', 'U') is not null
begin
  set @statement = replace(N'create view portfolio_agent.users_of_bitbucket as select min(case when m.list_index is null then 0 else m.list_index end) as place, min(case when t.is_active <> ''T'' then null when m.list_index is null then 0 else m.list_index end) as active_place from @schema@.cwd_user t join @schema@.cwd_directory d on d.id = t.directory_id join @schema@.cwd_app_dir_mapping m on m.directory_id = d.id where d.is_active = ''T'' group by t.lower_user_name', N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end

grant select on schema::portfolio_agent to portfolio_agent;
