-- output: letter_tiers
-- grain:  sae, source, split, amino_acid, feature, tier
-- inputs: letter_tiers_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues of each letter that each feature fires on, over the proteins that a source covers.
select
    $sae as sae,
    source,
    split,
    amino_acid,
    feature,
    tier,
    sum(counts)::bigint as counts
from letter_tiers_partial
where sae = $sae
group by source, split, amino_acid, feature, tier
