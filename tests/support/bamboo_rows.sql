-- A small invented Bamboo: names, titles and secrets are all of the word planted, so that a leak is found. At most 1,000
-- rows a statement: MariaDB's own limit for recursion.
insert into buildresultsummary (buildresultsummary_id, build_key, build_number, build_type, build_state) with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select i, case when i <= 77 then 'planted-plan' else cast(i % 200 as char(20)) end, i, case when i <= 600 then 'BUILD' when i <= 850 then 'CHAIN' else 'CHAIN_BRANCH' end, 'Successful' from n;
insert into build (build_id, full_key, build_type, title, project_id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 80) select i, 'planted-key', case when i <= 25 then 'CHAIN' when i <= 40 then 'CHAIN_BRANCH' else 'JOB' end, 'planted-title', 1 + i % 6 from n;
insert into project (project_id, project_key, title) with recursive n(i) as (select 1 union all select i + 1 from n where i < 6) select i, 'planted-key', 'planted-title' from n;
insert into queue (queue_id, agent_type, title) with recursive n(i) as (select 1 union all select i + 1 from n where i < 12) select i, 'REMOTE', 'planted-agent' from n;
