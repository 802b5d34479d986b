-- output: activations
-- grain:  protein_id, feature, position
-- inputs: control_blocks, residues
-- params: $block INTEGER  block of proteins
-- what:   Features 0 to 4 are 1 on the first 5, 10, 20, 30 and 50 residues, features 5 to 9 on the last.
with
reaches as (
    select
        w.feature,
        w.n_residues
    from (values (0, 5), (1, 10), (2, 20), (3, 30), (4, 50)) as w (feature, n_residues)
)

select
    r.protein_id,
    r.position,
    e.feature + o.offset_of_end as feature,
    1::float as value
from residues as r
inner join control_blocks as b on r.protein_id = b.protein_id
cross join reaches as e
cross join (values (0, true), (5, false)) as o (offset_of_end, is_start)
where
    b.block = $block
    and case when o.is_start then r.position else b.length - r.position + 1 end <= e.n_residues
