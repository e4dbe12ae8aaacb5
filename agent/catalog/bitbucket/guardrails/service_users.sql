-- counts: service users
-- cost: S
-- versions: 6 and later
select count(*) as total from sta_service_user
