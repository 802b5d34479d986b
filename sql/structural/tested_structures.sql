-- output: tested_structures
-- grain:  protein_id
-- inputs: encodings, structures
-- params: $sae VARCHAR  SAE that has encoded the proteins
-- what:   One structure of each protein: that with most of its residues, then as in protein_structures.
select
    s.protein_id,
    s.structure,
    s.mean_plddt is not null as is_prediction
from structures as s
where s.protein_id in (select e.protein_id from encodings as e where e.sae = $sae)
qualify row_number() over (
    partition by s.protein_id
    order by
        s.n_residues_matched desc, s.pct_identity desc, s.source = 'alphafold',
        s.resolution asc nulls last, s.structure asc
) = 1
