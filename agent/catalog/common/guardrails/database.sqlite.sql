-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
select 'sqlite' as kind, sqlite_version() as version
