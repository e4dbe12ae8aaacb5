-- counts: message queues of the service desk, their messages, and by how many the noted counts are wrong
-- cost: M
-- versions: with Jira Service Management, older versions; the tables are absent otherwise
-- null: zero
select count(*) as queues, sum(x.counted) as messages, sum(abs(x.noted - x.counted)) as drift
from (
  select coalesce(q.`MESSAGE_COUNT`, 0) as noted, count(m.`ID`) as counted
  from `AO_319474_QUEUE` q left join `AO_319474_MESSAGE` m on m.`QUEUE_ID` = q.`ID`
  group by q.`ID`, q.`MESSAGE_COUNT`
) x
