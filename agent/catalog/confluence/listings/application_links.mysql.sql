-- counts: application links: address and product family
-- cost: S
-- versions: 6.1 and later
-- rows: 500
-- every: hour
select substr(b.BANDANAKEY, 16, 36) as link,
       coalesce(max(case when b.BANDANAKEY like '%.display.url' then replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') end),
                max(case when b.BANDANAKEY like '%url' then replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') end)) as url,
       coalesce(max(case when b.BANDANAKEY like '%.type' and replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') end), 'other') as family
from BANDANA b
where b.BANDANACONTEXT = '_GLOBAL' and (b.BANDANAKEY like 'applinks.admin.%.type' or b.BANDANAKEY like 'applinks.admin.%url') and b.BANDANAKEY not like '%auth%'
group by substr(b.BANDANAKEY, 16, 36)
having max(case when b.BANDANAKEY like '%url' then replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') end) is not null
order by substr(b.BANDANAKEY, 16, 36)
