-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
select case when lower(version()) like '%mariadb%' then 'mariadb' else 'mysql' end as kind, version() as version
