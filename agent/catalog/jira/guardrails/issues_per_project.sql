-- counts: issues of the largest project; no row means that there is no issue
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest from (select count(*) as n from jiraissue group by project) x
