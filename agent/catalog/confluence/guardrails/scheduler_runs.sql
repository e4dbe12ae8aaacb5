-- counts: rows that tell of past runs of scheduled jobs
-- cost: L
-- versions: 6.3 and later
-- estimate: scheduler_run_details as total
select count(*) as total from scheduler_run_details
