-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: 6.1 and later
select max(case when b.BANDANAKEY = 'atlassian.confluence.settings' then case when locate('<baseUrl>', b.BANDANAVALUE) > 0
         then substring_index(substring_index(b.BANDANAVALUE, '</baseUrl>', 1), '<baseUrl>', -1) end end) as base_url,
       max(case when b.BANDANAKEY = 'confluence.server.id' then replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') end) as server_id
from BANDANA b
where b.BANDANACONTEXT = '_GLOBAL' and b.BANDANAKEY in ('atlassian.confluence.settings', 'confluence.server.id')
