-- output: feature_runs_partial
-- grain:  sae, feature, protein_id, start
-- inputs: chunk_activations, chunk_residues, chunk_strongest
-- params: $sae VARCHAR      SAE
--         $presence FLOAT   strict lower bound on normalised activation that counts as present
-- what:   Residues in a row on which a feature is present, on the 20 proteins of a chunk on which it is
--         strongest.
with
-- Along residues in a row the position and the count of residues grow alike.
placed as (
    select
        a.feature,
        r.protein_id,
        r.position,
        a.activation,
        r.position
        - row_number() over (partition by a.feature, r.protein_id order by r.position asc) as island
    from chunk_activations as a
    inner join chunk_residues as r on a.place = r.place
    inner join chunk_strongest as s on a.feature = s.feature and r.protein_id = s.protein_id
    where a.activation > $presence::float
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
