-- output: block_residues
-- grain:  place
-- inputs: block_proteins, residues
-- params: none
-- what:   Each residue of a block: its place, where that is, and its letter.
select
    p.first_place + r.position as place,
    r.protein_id,
    r.position,
    ascii(r.amino_acid) as letter
from block_proteins as p
inner join residues as r on p.protein_id = r.protein_id
