-- counts: different groups that restrictions of current content name; the names stay in the database
-- cost: M
-- versions: 6.3 and later
-- why: names of groups are not shown to an account of its own, only how many there are (config/database/views.toml)
select n as total from groups_in_restrictions
