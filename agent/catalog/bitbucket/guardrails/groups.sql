-- counts: groups in all directories, and the active ones of directories in use
-- cost: S
-- versions: 6 and later
-- null: zero
select count(*) as total, sum(case when g.is_active = 'T' and d.is_active = 'T' then 1 else 0 end) as active
from cwd_group g left join cwd_directory d on d.id = g.directory_id
