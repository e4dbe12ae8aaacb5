-- counts: directories given to applications, and those whose every account may use the application
-- cost: S
-- versions: 5 and later
-- null: zero
select count(*) as total, sum(case when allow_all = 'T' then 1 else 0 end) as allow_all_users
from cwd_app_dir_mapping
