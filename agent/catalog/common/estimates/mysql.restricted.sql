-- For an account that sees views of the tables only: InnoDB's own notes, through the view that its role script makes.
select n_rows as n, convert_tz(last_update, @@session.time_zone, '+00:00') as as_of
from table_estimates
where lower(table_name) = lower(:wanted)
