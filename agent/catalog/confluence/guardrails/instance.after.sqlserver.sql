-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 10.1 and later
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
-- why: the settings are longer than the text to which a long text is cut, and the address stands anywhere in them
select
  max(case when s.setting_key = 'atlassian.confluence.settings' and substring(s.rest, 1, 2) = ':"'
                and charindex('"', s.rest, 3) > 3
           then substring(s.rest, 3, charindex('"', s.rest, 3) - 3) end) as base_url,
  max(case when s.setting_key = 'confluence.server.id'
           then replace(replace(replace(cast(s.setting_value as nvarchar(200)), '<string>', ''), '</string>', ''), '"', '') end) as server_id
from (
  select p.setting_key, p.setting_value,
         case when charindex('"baseUrl"', cast(p.setting_value as nvarchar(max))) > 0
              then replace(cast(substring(cast(p.setting_value as nvarchar(max)), charindex('"baseUrl"', cast(p.setting_value as nvarchar(max))) + 9, 1000) as nvarchar(1000)), ' ', '') end as rest
  from plugin_setting p
  where p.namespace = '_GLOBAL' and p.setting_key in ('atlassian.confluence.settings', 'confluence.server.id')
) s
