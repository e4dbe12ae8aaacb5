-- counts: comments of the author who wrote most, a bot as a rule; who it is, is not read
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(n) as largest from comments_by_author
