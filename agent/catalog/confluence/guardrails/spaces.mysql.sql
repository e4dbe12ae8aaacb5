-- counts: spaces by kind
-- cost: S
-- versions: 6.3 and later
-- null: zero
select
  count(*) as total,
  sum(case when spacetype = 'personal' then 1 else 0 end) as personal,
  sum(case when spacestatus = 'ARCHIVED' then 1 else 0 end) as archived
from SPACES
