-- counts: build agents
-- cost: S
-- versions: after published SQL; not verified on a schema
select count(*) as total from QUEUE
