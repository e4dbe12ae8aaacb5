-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 10.1 and later
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
-- why: the settings are longer than the text to which a CLOB is cut, and the address stands anywhere in them
select max(case when p.setting_key = 'atlassian.confluence.settings' then to_char(regexp_substr(p.setting_value, '"baseUrl"[[:space:]]*:[[:space:]]*"([^"]*)"', 1, 1, null, 1)) end) as base_url,
       max(case when p.setting_key = 'confluence.server.id' then replace(replace(replace(to_char(substr(p.setting_value, 1, 200)), '<string>', ''), '</string>', ''), '"', '') end) as server_id
from plugin_setting p
where p.namespace = '_GLOBAL' and p.setting_key in ('atlassian.confluence.settings', 'confluence.server.id')
