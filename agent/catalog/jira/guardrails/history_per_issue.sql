-- counts: change groups of the issue that has most; the changes in them cost nine times as much
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest from (select count(*) as n from changegroup group by issueid) x
