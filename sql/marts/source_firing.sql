-- output: source_firing
-- grain:  sae, source, split, feature, threshold
-- inputs: source_firing_partial
-- params: $sae VARCHAR  SAE
-- what:   Residues that each feature fires on, over the proteins that a source covers.
select
    $sae as sae,
    source,
    split,
    feature,
    threshold,
    sum(n_residues)::bigint as n_residues
from source_firing_partial
where sae = $sae
group by source, split, feature, threshold
