-- counts: results of the plan, branch or job with the most, of those that exist
-- cost: L
-- versions: after published SQL; not verified on a schema
-- null: zero
select max(x.n) as largest
from (select build_key, count(*) as n from buildresultsummary group by build_key) x
join build b on b.full_key = x.build_key
