-- counts: application links: address and product family
-- cost: S
-- versions: 6.1 and later
-- rows: 500
-- every: hour
select substring(b.bandanakey, 16, 36) as link,
       coalesce(max(case when b.bandanakey like '%.display.url' then replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') end),
                max(case when b.bandanakey like '%url' then replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') end)) as url,
       coalesce(max(case when b.bandanakey like '%.type' and replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') end), 'other') as family
from bandana b
where b.bandanacontext = '_GLOBAL' and (b.bandanakey like 'applinks.admin.%.type' or b.bandanakey like 'applinks.admin.%url') and b.bandanakey not like '%auth%'
group by substring(b.bandanakey, 16, 36)
having max(case when b.bandanakey like '%url' then replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') end) is not null
order by substring(b.bandanakey, 16, 36)
