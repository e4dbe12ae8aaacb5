-- counts: automation rules by state; the words of the states are not published, others count only in the total
-- cost: S
-- versions: with Automation; the table is absent without it
-- null: zero
select
  count(*) as total,
  sum(case when "STATE" = 'ENABLED' then 1 else 0 end) as enabled,
  sum(case when "STATE" = 'DISABLED' then 1 else 0 end) as disabled
from "AO_589059_RULE_CONFIG"
