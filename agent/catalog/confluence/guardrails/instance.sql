-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 6.1 to 9.5
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select
  max(case when b.bandanakey = 'atlassian.confluence.settings' and position('<baseUrl>' in b.bandanavalue) > 0
                and position('</baseUrl>' in b.bandanavalue) > position('<baseUrl>' in b.bandanavalue)
           then substr(b.bandanavalue, position('<baseUrl>' in b.bandanavalue) + 9,
                       position('</baseUrl>' in b.bandanavalue) - position('<baseUrl>' in b.bandanavalue) - 9)
      end) as base_url,
  max(case when b.bandanakey = 'confluence.server.id'
           then replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') end) as server_id
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey in ('atlassian.confluence.settings', 'confluence.server.id')
