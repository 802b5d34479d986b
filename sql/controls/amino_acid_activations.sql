-- output: activations
-- grain:  protein_id, feature, position
-- inputs: control_blocks, residues
-- params: $block INTEGER  block of proteins
-- what:   Feature i is 1 on the residues of letter i of ACDEFGHIKLMNPQRSTVWY.
select
    r.protein_id,
    r.position,
    (strpos('ACDEFGHIKLMNPQRSTVWY', r.amino_acid) - 1)::integer as feature,
    1::float as value
from residues as r
inner join control_blocks as b on r.protein_id = b.protein_id
where b.block = $block and strpos('ACDEFGHIKLMNPQRSTVWY', r.amino_acid) > 0
