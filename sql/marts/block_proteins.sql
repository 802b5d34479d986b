-- output: block_proteins
-- grain:  protein_id
-- inputs: encodings, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   The encoded proteins of a block, laid end to end: a residue's place in the block is
--         first_place + position.
select
    p.protein_id,
    p.split,
    (sum(p.length) over (order by p.protein_id asc) - p.length)::integer as first_place
from proteins as p
inner join encodings as e on p.protein_id = e.protein_id
where e.sae = $sae and p.protein_id between $first_protein and $last_protein
