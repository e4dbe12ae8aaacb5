-- counts: boards
-- cost: S
-- versions: with Jira Software; the table is absent without it
select count(*) as total from `AO_60DB71_RAPIDVIEW`
