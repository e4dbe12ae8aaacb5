-- counts: items that wait for automation
-- cost: M
-- versions: with Automation; the table is absent without it
select count(*) as total from "AO_589059_AUTOMATION_QUEUE"
