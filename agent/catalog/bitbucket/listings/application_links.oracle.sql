-- counts: application links: address and product family
-- cost: S
-- versions: all
-- rows: 500
-- every: hour
select substr(p.key_name, 16, 36) as link,
       coalesce(max(case when p.key_name like '%.display.url' then to_char(substr(p.key_value, 1, 1000)) end),
                max(case when p.key_name like '%url' then to_char(substr(p.key_value, 1, 1000)) end)) as url,
       coalesce(max(case when p.key_name like '%.type' and to_char(substr(p.key_value, 1, 1000)) in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then to_char(substr(p.key_value, 1, 1000)) end), 'other') as family
from plugin_setting p
where (p.key_name like 'applinks.admin.%.type' or p.key_name like 'applinks.admin.%url') and p.key_name not like '%auth%'
group by substr(p.key_name, 16, 36)
having max(case when p.key_name like '%url' then to_char(substr(p.key_value, 1, 1000)) end) is not null
order by substr(p.key_name, 16, 36)
