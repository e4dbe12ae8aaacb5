-- counts: active users: of several accounts with one name only the first directory's counts, and of directories that are switched off none
-- cost: M
-- versions: 8.3 and later
select count(*) as active
from (
  select u.lower_user_name
  from cwd_user u join cwd_directory d on d.id = u.directory_id
  where d.active = 1
  group by u.lower_user_name
  having min(case when u.active = 1 then coalesce(d.directory_position, 0) end) = min(coalesce(d.directory_position, 0))
) x
