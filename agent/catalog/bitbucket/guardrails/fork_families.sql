-- counts: families with more than one repository
-- cost: M
-- versions: 6 and later
select count(*) as total
from (select hierarchy_id from repository group by hierarchy_id having count(*) > 1) x
