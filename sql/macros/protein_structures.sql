-- output: protein_structures
-- grain:  structure
-- inputs: structures, proteins
-- params: $wanted_accession VARCHAR  protein
-- what:   The structures of one protein: first the one with most of its residues, then by identity and
--         resolution.
select
    row_number() over (
        order by
            s.n_residues_matched desc, s.pct_identity desc, s.source = 'alphafold',
            s.resolution asc nulls last, s.structure
    )::integer as rank,
    s.structure,
    s.chain,
    s.file,
    s.format,
    s.sha256,
    s.source,
    s.matched_by,
    s.n_residues_matched,
    s.pct_identity,
    s.pct_coverage,
    s.resolution,
    s.mean_plddt
from structures as s
inner join proteins as p on s.protein_id = p.protein_id
where p.accession = $wanted_accession
order by rank
