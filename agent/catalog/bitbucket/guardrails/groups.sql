-- counts: groups in all directories, and the active ones
-- cost: S
-- versions: 6 and later
-- null: zero
select count(*) as total, sum(case when is_active = 'T' then 1 else 0 end) as active
from cwd_group
