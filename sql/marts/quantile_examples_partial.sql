-- output: quantile_examples_partial
-- grain:  sae, feature, bin_low, bin_high, rank
-- inputs: chunk_absent, chunk_drawable, chunk_peaks
-- params: $sae VARCHAR  SAE
-- what:   Ten proteins of a chunk drawn from each range of a feature's highest activation, and ten without
--         it.
with
present as (
    select
        f.feature,
        f.protein_id,
        f.activation,
        1 + (f.activation > 0.4::float)::integer + (f.activation > 0.8::float)::integer as bin,
        p.sample_key,
        p.place,
        (p.sample_key + f.feature * 1103515245::bigint) % 2147483647 as x
    from chunk_peaks as f
    inner join chunk_drawable as p on f.protein_id = p.protein_id
),

drawn as (
    select
        feature,
        bin,
        protein_id,
        activation,
        ((x * x + sample_key) % 2147483647) * 2147483648 + place as draw
    from present
    union all
    select feature, 0 as bin, protein_id, 0::float as activation, draw
    from chunk_absent
),

ranked as (
    select
        feature, bin, protein_id, activation,
        row_number() over (partition by feature, bin order by draw asc)::integer as rank
    from drawn
    qualify row_number() over (partition by feature, bin order by draw asc) <= 10
)

select
    $sae as sae,
    r.feature,
    case r.bin when 2 then 0.4 when 3 then 0.8 else 0.0 end::double as bin_low,
    case r.bin when 0 then 0.0 when 1 then 0.4 when 2 then 0.8 else 'infinity'::double end::double
        as bin_high,
    r.rank,
    d.accession,
    r.activation
from ranked as r
inner join chunk_drawable as d on r.protein_id = d.protein_id
