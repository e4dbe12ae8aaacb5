-- counts: queues of the project that has most
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
-- null: zero
select max(n) as largest from (select count(*) as n from `AO_54307E_QUEUE` group by `PROJECT_ID`) x
