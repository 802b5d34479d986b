-- output: feature_runs
-- grain:  sae, feature, protein_id, start
-- inputs: feature_runs_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues in a row on which a feature is present, on the 20 proteins where it is strongest.
with
peaks as (
    select feature, protein_id, max(activation) as activation
    from feature_runs_partial
    where sae = $sae
    group by feature, protein_id
),

strongest as (
    select feature, protein_id
    from peaks
    qualify row_number() over (partition by feature order by activation desc, protein_id asc) <= 20
)

select
    $sae as sae,
    r.feature,
    r.protein_id,
    r.start,
    r.stop,
    r.activation
from feature_runs_partial as r
inner join strongest as s on r.feature = s.feature and r.protein_id = s.protein_id
where r.sae = $sae
