-- counts: subscriptions to filters that exist
-- cost: S
-- versions: 8.3 and later
select count(*) as total from filtersubscription s join searchrequest f on f.id = s.filter_i_d
