-- counts: comments of the issue that has most; no row means that there is no comment
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest from (select count(*) as n from jiraaction group by issueid) x
