-- counts: queues of projects that exist; their JQL is never read
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total from "AO_54307E_QUEUE" q join project p on p.id = q."PROJECT_ID"
