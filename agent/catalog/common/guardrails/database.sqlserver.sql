-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
-- why: each server tells its version in words of its own
select 'sqlserver' as kind, cast(serverproperty('productversion') as varchar(60)) as version
