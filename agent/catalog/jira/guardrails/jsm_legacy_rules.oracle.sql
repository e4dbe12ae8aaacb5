-- counts: legacy automation rules of the revisions in force, and the ones switched on; old revisions stay in the table
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
-- null: zero
select count(*) as live, sum(case when r."ENABLED" = 1 then 1 else 0 end) as enabled
from "AO_9B2E3B_RULE" r join "AO_9B2E3B_RULESET" s on s."ACTIVE_REVISION_ID" = r."RULESET_REVISION_ID"
