-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 6.1 to 9.5
-- why: the settings are longer than the text to which a CLOB is cut, and the address stands anywhere in them
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select max(case when b.bandanakey = 'atlassian.confluence.settings' then to_char(regexp_substr(b.bandanavalue, '<baseUrl>([^<]*)</baseUrl>', 1, 1, null, 1)) end) as base_url,
       max(case when b.bandanakey = 'confluence.server.id' then replace(replace(to_char(substr(b.bandanavalue, 1, 200)), '<string>', ''), '</string>', '') end) as server_id
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey in ('atlassian.confluence.settings', 'confluence.server.id')
