-- counts: incoming links of the issue that has most
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest from (select count(*) as n from issuelink group by destination) x
