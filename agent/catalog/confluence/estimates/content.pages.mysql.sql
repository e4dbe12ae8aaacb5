-- Current pages. A planner takes the three conditions for independent, so it guesses low.
select 1 from CONTENT where contenttype = 'PAGE' and prevver is null and content_status = 'current'
