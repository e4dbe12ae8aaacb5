-- counts: nothing; it reads kind and version of the server
-- cost: S
-- versions: all
-- why: each server tells its version in words of its own
select 'oracle' as kind, max(version) as version from product_component_version where substr(product, 1, 6) = 'Oracle'
