-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
select 'postgresql' as kind, current_setting('server_version') as version
