-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
-- why: each server tells its version in words of its own
select case when locate('mariadb', lower(version())) > 0 then 'mariadb' else 'mysql' end as kind, version() as version
