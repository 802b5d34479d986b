-- output: chunk_residues
-- grain:  place
-- inputs: block_proteins, residues
-- params: $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   Each residue of a chunk: its place, where that is, and its letter.
select
    p.first_place + r.position as place,
    r.protein_id,
    r.position,
    ascii(r.amino_acid) as letter
from block_proteins as p
inner join residues as r on p.protein_id = r.protein_id
where r.protein_id between $first_protein and $last_protein
