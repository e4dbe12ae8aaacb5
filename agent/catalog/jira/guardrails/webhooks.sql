-- counts: webhooks, and the ones in use; never the address, which may hold a secret
-- cost: S
-- versions: newer versions; the table is absent before
-- null: zero
select count(*) as total, sum(case when "ACTIVE" then 1 else 0 end) as active
from "AO_A0B856_WEBHOOK"
