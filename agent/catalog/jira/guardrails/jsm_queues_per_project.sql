-- counts: queues of the project that has most, of projects that exist
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
-- null: zero
select max(n) as largest
from (
  select count(*) as n from "AO_54307E_QUEUE" q join project p on p.id = q."PROJECT_ID" group by q."PROJECT_ID"
) x
