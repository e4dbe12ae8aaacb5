-- counts: webhooks of Jira's webhooks plugin, and the ones in use; never the address, which may hold a secret
-- cost: S
-- versions: 8.3 and later
-- null: zero
select count(*) as total, sum(case when "ENABLED" = 1 then 1 else 0 end) as active
from "AO_4AEACD_WEBHOOK_DAO"
