-- counts: comments of the author who wrote most, a bot as a rule; who it is, is not read; anonymous ones have no author
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest
from (select count(*) as n from jiraaction where actiontype = 'comment' and author is not null group by author) x
