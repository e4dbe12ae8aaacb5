-- counts: application links: address and product family
-- cost: S
-- versions: 8.3 and later
-- rows: 500
-- every: hour
select substr(e.property_key, 16, 36) as link,
       coalesce(max(case when e.property_key like '%.display.url' then to_char(s.propertyvalue) end),
                max(case when e.property_key like '%url' then to_char(s.propertyvalue) end)) as url,
       coalesce(max(case when e.property_key like '%.type' and to_char(s.propertyvalue) in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then to_char(s.propertyvalue) end), 'other') as family
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and (e.property_key like 'applinks.admin.%.type' or e.property_key like 'applinks.admin.%url') and e.property_key not like '%auth%'
group by substr(e.property_key, 16, 36)
having max(case when e.property_key like '%url' then to_char(s.propertyvalue) end) is not null
order by substr(e.property_key, 16, 36)
