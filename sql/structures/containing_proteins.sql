-- output: containing_proteins
-- grain:  accession
-- inputs: proteins
-- params: $stretch VARCHAR      longest stretch of a chain without a break
--         $letters VARCHAR      the whole chain
--         $min_length INTEGER   shorter proteins are never looked for within a chain
-- what:   Proteins that may hold a chain, or that a chain may hold, the shortest first.
select
    protein_id,
    accession,
    sequence
from proteins
where
    contains(sequence, $stretch)
    or (length >= $min_length and contains($letters, sequence))
order by length, accession
