-- output: cluster_members
-- grain:  row
-- inputs: cluster_lines
-- params: none
-- what:   Lines of CD-HIT's .clstr: ">Cluster 0", and under it its members, such as
--         "0	120aa, >P12345... *".
with
marked as (
    select
        row,
        line,
        last_value(if(starts_with(line, '>'), trim(line[2:]), null) ignore nulls) over lines_before as cluster
    from cluster_lines
    window lines_before as (order by row)
),

named as (
    select
        row,
        cluster,
        regexp_extract(line, '>(.*?)\.\.\.', 1) as name
    from marked
    where not starts_with(line, '>')
)

select
    row,
    split_part(regexp_replace(name, '^(?:sp|tr)\|([^|]+)(?:\|.*)?$', '\1'), ' ', 1) as member,
    cluster
from named
