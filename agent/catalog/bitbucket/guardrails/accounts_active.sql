-- counts: active users: of several accounts with one name only the first directory's counts, and of directories that are switched off none
-- cost: M
-- versions: 6 and later
select count(*) as active
from (
  select u.lower_user_name
  from cwd_user u
  join cwd_directory d on d.id = u.directory_id
  join cwd_app_dir_mapping m on m.directory_id = d.id
  where d.is_active = 'T'
  group by u.lower_user_name
  having min(case when u.is_active = 'T' then coalesce(m.list_index, 0) end) = min(coalesce(m.list_index, 0))
) x
