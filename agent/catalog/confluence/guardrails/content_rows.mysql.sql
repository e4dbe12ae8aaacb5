-- counts: rows of content, all versions
-- cost: L
-- versions: 6.3 and later
-- estimate: content as total
select count(*) as total from CONTENT
