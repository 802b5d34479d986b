-- output: placed_residues
-- grain:  protein_id, position
-- inputs: structure_residues, tested_structures
-- params: $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
--         $min_plddt DOUBLE       pLDDT from which a residue of a prediction is kept
-- what:   C-alphas of the tested structures, in Å, and whether they are certain enough to be compared. The
--         pLDDT is read from b_factor, where structures of earlier versions have it, too.
select
    r.protein_id,
    r.position,
    r.x::double as x,
    r.y::double as y,
    r.z::double as z,
    not t.is_prediction or coalesce(r.b_factor >= $min_plddt, false) as is_kept
from structure_residues as r
inner join tested_structures as t on r.structure = t.structure
where
    r.protein_id between $first_protein and $last_protein
    and r.x is not null
