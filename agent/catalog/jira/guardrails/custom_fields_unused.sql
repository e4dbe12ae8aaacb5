-- counts: custom fields without a value, as Jira itself notes it; where it has noted nothing of any field nobody knows
-- cost: S
-- versions: 9 and later: the column is absent before
select case when count(*) = 0 then 0
            when count(issueswithvalue) > 0 then sum(case when coalesce(issueswithvalue, 0) = 0 then 1 else 0 end)
       end as unused
from customfield
