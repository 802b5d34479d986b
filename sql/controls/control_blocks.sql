-- output: control_blocks
-- grain:  protein_id
-- inputs: proteins, encodings
-- params: $control VARCHAR         control that lacks the proteins
--         $like_sae VARCHAR        SAE that has encoded them; NULL for all of the warehouse
--         $block_residues INTEGER  residues of a block, less one protein
-- what:   The proteins that a control made from residues still has to take in, cut into blocks.
select
    p.protein_id,
    p.length,
    ((sum(p.length) over (order by p.protein_id) - p.length) // $block_residues)::integer as block
from proteins as p
where
    not exists (
        select 1 as one
        from encodings as e
        where e.sae = $control and e.protein_id = p.protein_id
    )
    and (
        $like_sae is null
        or exists (
            select 1 as one
            from encodings as e
            where e.sae = $like_sae and e.protein_id = p.protein_id
        )
    )
