-- counts: comments of the author who wrote most, a bot as a rule; who it is, is not read
-- cost: L
-- versions: 8.3 and later
-- null: zero
-- why: authors are not shown to an account of its own, only how often each stands there (config/database/views.toml)
select max(n) as largest from comments_by_author
