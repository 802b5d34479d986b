-- output: protein_features
-- grain:  sae, feature, protein_id
-- inputs: activations, features
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
--         $presence FLOAT         strict lower bound on normalised activation that counts as present
-- what:   The strongest residue of each feature on each protein, and how many residues have it.
with
scaled as (
    select
        a.protein_id,
        a.position,
        a.feature,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.feature = f.feature
    where a.sae = $sae and f.sae = $sae and a.protein_id between $first_protein and $last_protein
),

-- The peak is one number that orders by activation and then by lowest position: the activation
-- times (1 + m / 2^46), m falling from 2^20 with the position. A FLOAT has 24 bits, so the factor
-- changes none of them, and a DOUBLE has 53, so m is still there to be read.
peaks as (
    select
        feature,
        protein_id,
        max(activation::double * (1 + (1048576 - position) / 70368744177664.0::double)) as peak,
        count(*) filter (where activation > $presence::float) as n_residues
    from scaled
    where activation > 0
    group by feature, protein_id
)

select
    $sae as sae,
    feature,
    protein_id,
    peak::float as activation,
    (1048576 - round((peak / peak::float::double - 1) * 70368744177664.0::double))::integer as position,
    n_residues::integer as n_residues
from peaks
