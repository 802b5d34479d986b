-- output: chunk_drawable
-- grain:  protein_id
-- inputs: encodings, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   The encoded proteins of a chunk, with what decides the order in which they are drawn.
select
    p.protein_id,
    p.accession,
    p.sample_key,
    row_number() over (order by p.accession asc) as place
from encodings as e
inner join proteins as p on e.protein_id = p.protein_id
where e.sae = $sae and p.protein_id between $first_protein and $last_protein
