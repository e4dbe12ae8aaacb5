-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
select 'sqlserver' as kind, cast(serverproperty('productversion') as varchar(60)) as version
