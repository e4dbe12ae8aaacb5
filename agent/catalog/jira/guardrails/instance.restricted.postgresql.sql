-- counts: nothing; it reads base URL, server ID and time zone
-- cost: S
-- versions: 8.3 and later
select max(case when p.k = 'jira.baseurl' then p.v end) as base_url,
       max(case when p.k = 'jira.sid.key' then p.v end) as server_id,
       max(case when p.k = 'jvm.system.timezone' then p.v end) as time_zone
from dc_view.dc_props p
