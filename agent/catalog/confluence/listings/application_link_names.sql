-- counts: names that people gave to application links
-- cost: S
-- versions: 6.1 to 9.5
-- consent: extended
-- rows: 500
-- every: hour
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select substr(b.bandanakey, 16, 36) as link, replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') as name
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey like 'applinks.admin.%.name' and b.bandanakey not like '%auth%'
order by substr(b.bandanakey, 16, 36)
