-- counts: application links: address and product family
-- cost: S
-- versions: 8.3 and later
-- rows: 500
-- every: hour
select substring(e.property_key, 16, 36) as link,
       coalesce(max(case when e.property_key like '%.display.url' then cast(s.propertyvalue as nvarchar(400)) end),
                max(case when e.property_key like '%url' then cast(s.propertyvalue as nvarchar(400)) end)) as url,
       coalesce(max(case when e.property_key like '%.type' and cast(s.propertyvalue as nvarchar(400)) in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then cast(s.propertyvalue as nvarchar(400)) end), 'other') as family
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and (e.property_key like 'applinks.admin.%.type' or e.property_key like 'applinks.admin.%url') and e.property_key not like '%auth%'
group by substring(e.property_key, 16, 36)
having max(case when e.property_key like '%url' then cast(s.propertyvalue as nvarchar(400)) end) is not null
order by substring(e.property_key, 16, 36)
