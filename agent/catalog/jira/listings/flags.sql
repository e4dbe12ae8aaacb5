-- counts: feature flags of the site, never those of a user
-- cost: S
-- versions: 8.3 and later
-- rows: 1000
-- every: hour
select feature_name as flag, 'stored' as state
from feature
where feature_type = 'site' and (user_key is null or user_key = '')
order by feature_name
