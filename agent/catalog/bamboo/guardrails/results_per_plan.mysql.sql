-- counts: results of the plan, branch or job with the most
-- cost: L
-- versions: after published SQL; not verified on a schema
-- null: zero
select max(n) as largest
from (select count(*) as n from BUILDRESULTSUMMARY group by build_key) x
