-- counts: sets of legacy automation rules
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total from `AO_9B2E3B_RULESET`
