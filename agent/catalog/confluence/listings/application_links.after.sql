-- counts: application links: address and product family
-- cost: S
-- versions: 10.0 and later
-- rows: 500
-- every: hour
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
-- why: Confluence keeps its settings in another table since 10, as JSON; `bandana` holds those of the day of the upgrade
select substr(p.setting_key, 16, 36) as link,
       coalesce(max(case when p.setting_key like '%.display.url' then replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') end),
                max(case when p.setting_key like '%url' then replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') end)) as url,
       coalesce(max(case when p.setting_key like '%.type' and replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') in ('jira', 'confluence', 'stash', 'bitbucket', 'bamboo', 'fecru', 'crowd', 'generic', 'refapp') then replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') end), 'other') as family
from plugin_setting p
where p.namespace = '_GLOBAL' and (p.setting_key like 'applinks.admin.%.type' or p.setting_key like 'applinks.admin.%url') and p.setting_key not like '%auth%'
group by substr(p.setting_key, 16, 36)
having max(case when p.setting_key like '%url' then replace(replace(replace(p.setting_value, '<string>', ''), '</string>', ''), '"', '') end) is not null
order by substr(p.setting_key, 16, 36)
