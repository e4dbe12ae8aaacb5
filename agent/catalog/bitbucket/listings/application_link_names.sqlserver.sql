-- counts: names that people gave to application links
-- cost: S
-- versions: all
-- consent: extended
-- rows: 500
-- every: hour
select substring(p.key_name, 16, 36) as link, cast(p.key_value as nvarchar(400)) as name
from plugin_setting p
where p.key_name like 'applinks.admin.%.name' and p.key_name not like '%auth%'
order by substring(p.key_name, 16, 36)
