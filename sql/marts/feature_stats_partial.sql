-- output: feature_stats_partial
-- grain:  sae, feature
-- inputs: chunk_activations
-- params: $sae VARCHAR     SAE
--         $presence FLOAT  strict lower bound on normalised activation that counts as present
-- what:   The sums over the residues of one block. Each activation is rounded to 2^-26, so that a
--         DOUBLE adds them without rounding and the order does not matter.
select
    $sae as sae,
    feature,
    null::float as max_activation,
    count(*) filter (where activation > $presence::float) as n_residues,
    0::bigint as n_proteins,
    null::double as pct_proteins,
    null::double as avg_pct_residues_when_present,
    null::double as mean_activation,
    coalesce(
        sum(case when activation > $presence::float then floor(activation::double * 67108864 + 0.5) end)
        / 67108864, 0::double
    ) as sum_activation,
    count(*) filter (where activation is null) as n_unscaled
from chunk_activations
group by feature
