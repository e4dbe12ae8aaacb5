-- counts: queues; their JQL is never read
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total from "AO_54307E_QUEUE"
