-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 6.1 to 9.5
-- why: the settings are longer than the text to which ntext is cut, and the address stands anywhere in them
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select max(case when b.bandanakey = 'atlassian.confluence.settings' then case when charindex('<baseUrl>', cast(b.bandanavalue as nvarchar(max))) between 1 and charindex('</baseUrl>', cast(b.bandanavalue as nvarchar(max))) - 9
         then cast(substring(cast(b.bandanavalue as nvarchar(max)), charindex('<baseUrl>', cast(b.bandanavalue as nvarchar(max))) + 9, charindex('</baseUrl>', cast(b.bandanavalue as nvarchar(max))) - charindex('<baseUrl>', cast(b.bandanavalue as nvarchar(max))) - 9) as nvarchar(400)) end end) as base_url,
       max(case when b.bandanakey = 'confluence.server.id' then replace(replace(cast(b.bandanavalue as nvarchar(200)), '<string>', ''), '</string>', '') end) as server_id
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey in ('atlassian.confluence.settings', 'confluence.server.id')
