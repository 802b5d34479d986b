-- output: similar_proteins
-- grain:  accession
-- inputs: proteins
-- params: $words VARCHAR[]   short stretches of a chain
--         $k INTEGER         number of proteins
-- what:   The proteins that share most short stretches with a chain.
with
shared as (
    select
        protein_id,
        accession,
        sequence,
        len(list_filter($words, lambda w: contains(sequence, w))) as n_shared
    from proteins
)

select
    protein_id,
    accession,
    sequence
from shared
where n_shared > 0
order by n_shared desc, accession
limit $k
