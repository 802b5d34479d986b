-- output: structure_positions
-- grain:  structure, position
-- inputs: structure_residues, proteins
-- params: $wanted_accession VARCHAR  protein
-- what:   Where each position of one protein stands in its structures: number, insertion code, C-alpha (Å).
select
    r.structure,
    r.position,
    r.chain,
    r.residue_number,
    r.insertion_code,
    r.amino_acid,
    r.x,
    r.y,
    r.z,
    r.b_factor
from structure_residues as r
where r.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
order by r.structure, r.position
