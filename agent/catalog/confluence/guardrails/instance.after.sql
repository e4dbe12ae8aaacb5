-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 10.1 and later
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
-- why: Confluence keeps its settings in another table since 10, as JSON; `bandana` holds those of the day of the upgrade
select
  max(case when s.setting_key = 'atlassian.confluence.settings' and substr(s.rest, 1, 2) = ':"'
                and position('"' in substr(s.rest, 3, 1000)) > 1
           then substr(s.rest, 3, position('"' in substr(s.rest, 3, 1000)) - 1) end) as base_url,
  max(case when s.setting_key = 'confluence.server.id'
           then replace(replace(replace(s.setting_value, '<string>', ''), '</string>', ''), '"', '') end) as server_id
from (
  select p.setting_key, p.setting_value,
         case when position('"baseUrl"' in p.setting_value) > 0
              then replace(substr(p.setting_value, position('"baseUrl"' in p.setting_value) + 9, 1000), ' ', '') end as rest
  from plugin_setting p
  where p.namespace = '_GLOBAL' and p.setting_key in ('atlassian.confluence.settings', 'confluence.server.id')
) s
