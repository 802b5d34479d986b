-- output: chunk_letters
-- grain:  place
-- inputs: block_groups, chunk_residues
-- params: none
-- what:   What the letter of each residue of a chunk counts for: its protein's group, and itself.
select
    r.place,
    32 * g.protein_group + r.letter - 64 as letter_group
from chunk_residues as r
inner join block_groups as g on r.protein_id = g.protein_id
