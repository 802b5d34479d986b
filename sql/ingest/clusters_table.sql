-- output: cluster_members
-- grain:  row
-- inputs: cluster_rows
-- params: none
-- what:   Rows of a table with an accession and the name of its cluster.
select
    row,
    trim(accession) as member,
    trim(cluster) as cluster
from cluster_rows
where coalesce(trim(cluster), '') <> ''
