-- output: source_firing
-- grain:  sae, source, split, feature, threshold
-- inputs: letter_tiers, thresholds
-- params: $sae VARCHAR  SAE
-- what:   Residues that each feature fires on, over the proteins that a source covers.
with
totals as (
    select source, split, feature, tier, sum(counts)::bigint as counts
    from letter_tiers
    where sae = $sae
    group by source, split, feature, tier
),

firing as (
    select
        n.source, n.split, n.feature, t.threshold,
        (n.counts >> (31 * ((t.rank - 1) % 2))) & 2147483647 as n_residues
    from totals as n
    inner join thresholds as t on n.tier = (t.rank - 1) // 2
)

select
    $sae as sae,
    source,
    split,
    feature,
    threshold,
    n_residues
from firing
where n_residues > 0
