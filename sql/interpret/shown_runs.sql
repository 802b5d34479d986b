-- output: shown_runs
-- grain:  sae, feature, protein_id, start
-- inputs: eligible_proteins, feature_runs
-- params: $sae VARCHAR         SAE
--         $features INTEGER[]  features
-- what:   The runs of some features on proteins that may be shown; those that are scored are not read.
select
    r.sae,
    r.feature,
    r.protein_id,
    r.start,
    r.stop,
    r.activation
from feature_runs as r
inner join eligible_proteins as p on r.protein_id = p.protein_id
where r.sae = $sae and list_contains($features, r.feature) and p.side = 'shown'
