-- Merged pull requests.
select 1 from sta_pull_request where pr_state = 1
