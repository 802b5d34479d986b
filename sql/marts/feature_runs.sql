-- output: feature_runs
-- grain:  sae, feature, protein_id, start
-- inputs: activations, features, protein_features
-- params: $sae VARCHAR      SAE
--         $presence FLOAT   strict lower bound on normalised activation that counts as present
-- what:   Residues in a row on which a feature is present, on the 20 proteins where it is strongest.
with
strongest as (
    select feature, protein_id
    from protein_features
    where sae = $sae and activation > $presence::float
    qualify row_number() over (partition by feature order by activation desc, protein_id asc) <= 20
),

active as (
    select
        a.feature,
        a.protein_id,
        a.position,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join strongest as s on a.feature = s.feature and a.protein_id = s.protein_id
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where a.sae = $sae
),

-- Along residues in a row the position and the count of residues grow alike.
placed as (
    select
        feature,
        protein_id,
        position,
        activation,
        position - row_number() over (partition by feature, protein_id order by position asc) as island
    from active
    where activation > $presence::float
)

select
    $sae as sae,
    feature,
    protein_id,
    min(position)::integer as start,
    max(position)::integer as stop,
    max(activation) as activation
from placed
group by feature, protein_id, island
