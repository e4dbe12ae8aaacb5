-- counts: names that people gave to application links
-- cost: S
-- versions: all
-- consent: extended
-- rows: 500
-- every: hour
select substr(p.key_name, 16, 36) as link, to_char(substr(p.key_value, 1, 1000)) as name
from plugin_setting p
where p.key_name like 'applinks.admin.%.name' and p.key_name not like '%auth%'
order by substr(p.key_name, 16, 36)
