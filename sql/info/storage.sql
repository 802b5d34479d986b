-- output: storage
-- grain:  table_name
-- inputs: parts
-- params: none
-- what:   Rows and bytes of each table that is kept in Parquet.
select
    table_name,
    count(*) as n_files,
    sum(n_rows)::bigint as n_rows,
    sum(n_bytes)::bigint as n_bytes
from parts
group by table_name
order by n_bytes desc, table_name
