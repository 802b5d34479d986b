-- output: quantile_examples
-- grain:  sae, feature, bin_low, bin_high, rank
-- inputs: quantile_examples_partial, proteins
-- params: $sae VARCHAR  SAE
-- what:   Ten proteins drawn from each range of a feature's highest activation, and ten without it.
with
keyed as (
    select
        e.feature,
        e.bin_low,
        e.bin_high,
        e.accession,
        e.activation,
        p.sample_key,
        (p.sample_key + e.feature * 1103515245::bigint) % 2147483647 as x
    from quantile_examples_partial as e
    inner join proteins as p on e.accession = p.accession
    where e.sae = $sae
),

drawn as (
    select
        feature, bin_low, bin_high, accession, activation,
        (x * x + sample_key) % 2147483647 as draw
    from keyed
)

select
    $sae as sae,
    feature,
    bin_low,
    bin_high,
    row_number()
        over (partition by feature, bin_low, bin_high order by draw asc, accession asc)::integer
        as rank,
    accession,
    activation
from drawn
qualify
    row_number() over (partition by feature, bin_low, bin_high order by draw asc, accession asc) <= 10
