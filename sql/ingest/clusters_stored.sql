-- output: cluster_members
-- grain:  row
-- inputs: proteins
-- params: none
-- what:   The clusters that the warehouse has already.
select
    protein_id as row,
    accession as member,
    cluster
from proteins
where cluster is not null
