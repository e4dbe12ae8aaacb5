-- counts: active users: of several accounts with one name only the first directory's counts, and of directories that are switched off none
-- cost: M
-- versions: 6 and later
-- why: names of users are not shown to an account of its own, only where each stands first (config/database/views.toml)
select count(*) as active from users_of_bitbucket where active_place = place
