-- counts: users of the linked application that has the most; no row means that nothing was counted yet
-- cost: S
-- versions: 5 and later
select max(total_users) as users, max(total_crowd_users) as crowd_users
from cwd_app_licensing
where active = 'T'
