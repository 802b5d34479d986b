-- output: concept_tiers
-- grain:  sae, label, feature, tier
-- inputs: concept_tiers_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues and instances of every concept that each feature hits, scored or not.
select
    $sae as sae,
    label,
    feature,
    tier,
    sum(residues)::bigint as residues,
    sum(domains)::bigint as domains
from concept_tiers_partial
where sae = $sae
group by label, feature, tier
