-- counts: comments of the issue that has most, and issues with more than 1000; no row means that there is no comment
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest, sum(case when n > 1000 then 1 else 0 end) as over_limit
from (select count(*) as n from jiraaction group by issueid) x
