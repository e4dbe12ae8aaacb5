-- counts: sprints, and the closed ones
-- cost: M
-- versions: with Jira Software; the table is absent without it
-- null: zero
select
  count(*) as total,
  sum(case when "CLOSED" then 1 else 0 end) as closed
from "AO_60DB71_SPRINT"
