-- counts: accounts in all directories, and the active ones of directories in use
-- cost: M
-- versions: 5 and later
-- null: zero
select count(*) as total, sum(case when a.active = 'T' and d.active = 'T' then 1 else 0 end) as active
from cwd_user a left join cwd_directory d on d.id = a.directory_id
