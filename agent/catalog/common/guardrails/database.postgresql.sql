-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
-- why: each server tells its version in words of its own
select 'postgresql' as kind, current_setting('server_version') as version
