-- counts: accounts in all directories, and the active ones
-- cost: M
-- versions: 8.3 and later
-- null: zero
select count(*) as total, sum(case when active = 1 then 1 else 0 end) as active
from cwd_user
