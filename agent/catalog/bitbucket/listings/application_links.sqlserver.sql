-- counts: application links: address and product family
-- cost: S
-- versions: all
-- rows: 500
-- every: hour
select substring(p.key_name, 16, 36) as link,
       coalesce(max(case when p.key_name like '%.display.url' then cast(p.key_value as nvarchar(400)) end),
                max(case when p.key_name like '%url' then cast(p.key_value as nvarchar(400)) end)) as url,
       coalesce(max(case when p.key_name like '%.type' and cast(p.key_value as nvarchar(400)) in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then cast(p.key_value as nvarchar(400)) end), 'other') as family
from plugin_setting p
where (p.key_name like 'applinks.admin.%.type' or p.key_name like 'applinks.admin.%url') and p.key_name not like '%auth%'
group by substring(p.key_name, 16, 36)
having max(case when p.key_name like '%url' then cast(p.key_value as nvarchar(400)) end) is not null
order by substring(p.key_name, 16, 36)
