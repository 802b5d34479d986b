-- output: quantile_examples
-- grain:  sae, feature, bin_low, bin_high, rank
-- inputs: absent_examples, protein_features, proteins
-- params: $sae VARCHAR  SAE
-- what:   Ten proteins drawn from each range of a feature's highest activation, and ten without it.
with
ordered as (
    select protein_id, sample_key, row_number() over (order by accession asc) as place
    from proteins
),

pairs as (
    select
        f.feature,
        f.protein_id,
        f.activation,
        (f.activation > 0.4::float)::integer + (f.activation > 0.8::float)::integer as bin,
        p.sample_key,
        p.place,
        (p.sample_key + f.feature * 1103515245::bigint) % 2147483647 as x
    from protein_features as f
    inner join ordered as p on f.protein_id = p.protein_id
    where f.sae = $sae
),

drawn as (
    select
        feature,
        bin,
        protein_id,
        activation,
        ((x * x + sample_key) % 2147483647) * 2147483648 + place as draw  -- ties by accession
    from pairs
),

ranked as (
    select
        feature, bin, protein_id, activation,
        row_number() over (partition by feature, bin order by draw asc)::integer as rank
    from drawn
    qualify row_number() over (partition by feature, bin order by draw asc) <= 10
),

examples as (
    select
        feature, rank, protein_id, activation,
        case bin when 0 then 0.0 when 1 then 0.4 else 0.8 end::double as bin_low,
        case bin when 0 then 0.4 when 1 then 0.8 else 'infinity'::double end::double as bin_high
    from ranked
    union all
    select feature, rank, protein_id, 0::float as activation, 0::double as bin_low, 0::double as bin_high
    from absent_examples
    where sae = $sae
)

select
    $sae as sae,
    e.feature,
    e.bin_low,
    e.bin_high,
    e.rank,
    p.accession,
    e.activation
from examples as e
inner join proteins as p on e.protein_id = p.protein_id
