-- counts: different groups that page restrictions name; the names stay in the database
-- cost: M
-- versions: 6.3 and later
select n as total from groups_in_restrictions
