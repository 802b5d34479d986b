-- output: sae_frequency
-- grain:  sae, evaluated_on, bin_low
-- inputs: evaluation, evaluated_features
-- params: none
-- what:   How many features fire on about the same share of the residues, in quarters of a power of ten.
with
quarters as (
    select
        e.sae,
        e.evaluated_on,
        ceil(4 * log10(f.n_firing::double / e.n_residues)) as quarter
    from evaluated_features as f
    cross join evaluation as e
    where f.n_firing > 0
)

select
    sae,
    evaluated_on,
    (quarter - 1) / 4 as bin_low,
    quarter / 4 + 0.0::double as bin_high,
    count(*) as n_features
from quarters
group by sae, evaluated_on, quarter
