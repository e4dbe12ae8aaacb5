-- counts: application links: address and product family
-- cost: S
-- versions: 6.1 to 9.5
-- rows: 500
-- every: hour
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select substr(b.bandanakey, 16, 36) as link,
       coalesce(max(case when b.bandanakey like '%.display.url' then replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') end),
                max(case when b.bandanakey like '%url' then replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') end)) as url,
       coalesce(max(case when b.bandanakey like '%.type' and replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') end), 'other') as family
from bandana b
where b.bandanacontext = '_GLOBAL' and (b.bandanakey like 'applinks.admin.%.type' or b.bandanakey like 'applinks.admin.%url') and b.bandanakey not like '%auth%'
group by substr(b.bandanakey, 16, 36)
having max(case when b.bandanakey like '%url' then replace(replace(b.bandanavalue, '<string>', ''), '</string>', '') end) is not null
order by substr(b.bandanakey, 16, 36)
