-- output: feature_stats
-- grain:  sae, feature
-- inputs: encodings, feature_stats_partial, features, protein_features, proteins
-- params: $sae VARCHAR  SAE
-- what:   How often a feature is present, over proteins and within those that have it. Shares are
--         rounded to 2^-32, so that a DOUBLE adds them without rounding and the order does not matter.
with
encoded as (
    select count(*) as n_proteins
    from encodings
    where sae = $sae
),

residues_with as (
    select
        feature,
        sum(n_residues)::bigint as n_residues,
        sum(sum_activation) as sum_activation,
        sum(n_unscaled)::bigint as n_unscaled
    from feature_stats_partial
    where sae = $sae
    group by feature
),

proteins_with as (
    select
        f.feature,
        count(*) as n_proteins,
        sum(floor(f.n_residues / p.length::double * 4294967296 + 0.5)) / 4294967296 as sum_share
    from protein_features as f
    inner join proteins as p on f.protein_id = p.protein_id
    where f.sae = $sae and f.n_residues > 0
    group by f.feature
)

select
    $sae as sae,
    f.feature,
    f.max_activation,
    coalesce(r.n_residues, 0) as n_residues,
    coalesce(p.n_proteins, 0) as n_proteins,
    coalesce(100 * p.n_proteins / e.n_proteins::double, 0::double) as pct_proteins,
    100 * p.sum_share / p.n_proteins as avg_pct_residues_when_present,
    r.sum_activation / nullif(r.n_residues, 0) as mean_activation,
    coalesce(r.sum_activation, 0::double) as sum_activation,
    coalesce(r.n_unscaled, 0) as n_unscaled
from features as f
cross join encoded as e
left join residues_with as r on f.feature = r.feature
left join proteins_with as p on f.feature = p.feature
where f.sae = $sae
