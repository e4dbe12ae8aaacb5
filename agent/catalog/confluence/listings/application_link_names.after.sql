-- counts: names that people gave to application links
-- cost: S
-- versions: 10.0 and later
-- consent: extended
-- rows: 500
-- every: hour
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
-- why: Confluence keeps its settings in another table since 10, as JSON; `bandana` holds those of the day of the upgrade
select substr(p.setting_key, 16, 36) as link, replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') as name
from plugin_setting p
where p.namespace = '_GLOBAL' and p.setting_key like 'applinks.admin.%.name' and p.setting_key not like '%auth%'
order by substr(p.setting_key, 16, 36)
