-- Results of plans.
select 1 from buildresultsummary where build_type = 'CHAIN'
