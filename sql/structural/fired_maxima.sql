-- output: fired_maxima
-- grain:  feature, protein_id
-- inputs: activations, features, placed_residues, tested_structures
-- params: $sae VARCHAR            SAE
--         $lowest DOUBLE          strict lower bound on normalised activation
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last one
-- what:   Where each feature is strongest on each protein with a structure, the lowest position on a tie: on
--         all of its residues, and on those that the structure shows and that are certain enough.
with
fired as (
    select
        a.feature,
        a.protein_id,
        a.position,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $sae
        and a.protein_id between $first_protein and $last_protein
        and a.protein_id in (select t.protein_id from tested_structures as t)
        and (a.value / nullif(f.max_activation, 0))::float > $lowest::float
)

select
    f.feature,
    f.protein_id,
    max(f.activation) as activation,
    min_by(f.position, row(-f.activation, f.position)) as position,
    min_by(p.position is not null, row(-f.activation, f.position)) as is_placed,
    max(f.activation) filter (where p.is_kept) as kept_activation,
    min_by(f.position, row(-f.activation, f.position)) filter (where p.is_kept) as kept_position
from fired as f
left join placed_residues as p on f.protein_id = p.protein_id and f.position = p.position
group by f.feature, f.protein_id
