-- output: activation_histogram_partial
-- grain:  sae, feature, bin_low
-- inputs: chunk_activations
-- params: $sae VARCHAR  SAE
-- what:   Residues per bin of 0.05 of normalised activation in one block; the last bin is open.
with
guesses as (
    select feature, activation, least(ceil(activation::double * 20), 20)::integer - 1 as guess
    from chunk_activations
    where activation > 0
),

-- A bound as FLOAT may lie just above its decimal: an activation on it belongs to the bin below.
bins as (
    select
        feature,
        guess - (activation <= (guess / 20::double)::float)::integer as bin,
        count(*) as n_residues
    from guesses
    group by all
)

select
    $sae as sae,
    feature,
    bin / 20::double as bin_low,
    case when bin = 19 then 'infinity'::double else (bin + 1) / 20::double end as bin_high,
    n_residues
from bins
