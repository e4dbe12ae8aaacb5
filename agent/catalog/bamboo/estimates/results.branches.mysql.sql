-- Results of branches of plans.
select 1 from BUILDRESULTSUMMARY where build_type = 'CHAIN_BRANCH'
