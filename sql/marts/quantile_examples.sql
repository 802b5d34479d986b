-- output: quantile_examples
-- grain:  sae, feature, bin_low, bin_high, rank
-- inputs: encodings, features, protein_features, proteins
-- params: $sae VARCHAR  SAE
-- what:   Ten proteins drawn from each range of a feature's highest activation, and ten without it.
with
encoded as (
    select p.protein_id, p.accession, p.sample_key
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    where e.sae = $sae
),

pairs as (
    select
        f.feature,
        e.accession,
        coalesce(x.activation, 0::float) as activation,
        e.sample_key,
        (e.sample_key + f.feature * 1103515245::bigint) % 2147483647 as x
    from features as f
    cross join encoded as e
    left join protein_features as x
        on f.feature = x.feature and e.protein_id = x.protein_id and x.sae = $sae
    where f.sae = $sae
),

drawn as (
    select
        feature,
        accession,
        activation,
        case
            when activation = 0 then 0
            when activation <= 0.4::float then 1
            when activation <= 0.8::float then 2
            else 3
        end as bin,
        (x * x + sample_key) % 2147483647 as draw
    from pairs
),

ranked as (
    select
        *,
        row_number() over (partition by feature, bin order by draw, accession)::integer as rank
    from drawn
)

select
    $sae as sae,
    feature,
    case bin when 0 then 0.0 when 1 then 0.0 when 2 then 0.4 else 0.8 end::double as bin_low,
    case bin when 0 then 0.0 when 1 then 0.4 when 2 then 0.8 else 'infinity'::double end::double as bin_high,
    rank,
    accession,
    activation
from ranked
where rank <= 10
