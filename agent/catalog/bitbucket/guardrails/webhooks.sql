-- counts: webhooks of the product's webhooks plugin, and the ones in use; never the address, which may hold a secret
-- cost: S
-- versions: 7 and later
-- null: zero
select count(*) as total, sum(case when "ACTIVE" then 1 else 0 end) as active
from "AO_A0B856_WEBHOOK"
