-- counts: nothing; it reads the product's version and build number
-- cost: S
-- versions: 8.3 and later
select max(case when p.k = 'jira.version' then p.v end) as version,
       max(case when p.k = 'jira.version.patched' then p.v end) as build
from dc_view.dc_props p
