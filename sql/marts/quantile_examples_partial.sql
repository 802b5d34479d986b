-- output: quantile_examples
-- grain:  sae, feature, bin_low, bin_high, rank
-- inputs: chunk_peaks, encodings, features, proteins
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   Ten proteins of a chunk drawn from each range of a feature's highest activation, and ten without
--         it. Draws are spread evenly, so that of those without it the ones up to a reach where forty are
--         expected are looked at first, and all only where ten were not found.
with
drawable as (
    select
        p.protein_id,
        p.accession,
        p.sample_key,
        row_number() over (order by p.accession asc) as place
    from encodings as e
    inner join proteins as p on e.protein_id = p.protein_id
    where e.sae = $sae and p.protein_id between $first_protein and $last_protein
),

total as (
    select count(*) as n_proteins
    from drawable
),

counts as (
    select
        f.feature,
        max(t.n_proteins) - count(x.protein_id) as n_without,
        85899345880 // greatest(max(t.n_proteins) - count(x.protein_id), 1) as reach
    from features as f
    cross join total as t
    left join chunk_peaks as x on f.feature = x.feature
    where f.sae = $sae
    group by f.feature
),

keyed as (
    select
        c.feature,
        c.reach,
        p.protein_id,
        p.sample_key,
        p.place,
        (p.sample_key + c.feature * 1103515245::bigint) % 2147483647 as x
    from counts as c
    cross join drawable as p
    where c.n_without > 0
),

near as (
    select
        k.feature,
        k.protein_id,
        ((k.x * k.x + k.sample_key) % 2147483647) * 2147483648 + k.place as draw
    from keyed as k
    where
        (k.x * k.x + k.sample_key) % 2147483647 <= k.reach
        and not exists (
            select 1 from chunk_peaks as x where x.feature = k.feature and x.protein_id = k.protein_id
        )
),

short as (
    select c.feature
    from counts as c
    left join near as n on c.feature = n.feature
    group by c.feature
    having count(n.protein_id) < least(10, max(c.n_without))
),

far as (
    select
        k.feature,
        k.protein_id,
        ((k.x * k.x + k.sample_key) % 2147483647) * 2147483648 + k.place as draw
    from keyed as k
    inner join short as s on k.feature = s.feature
    where
        not exists (
            select 1 from chunk_peaks as x where x.feature = k.feature and x.protein_id = k.protein_id
        )
),

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
    inner join drawable as p on f.protein_id = p.protein_id
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
    from near
    where feature not in (select s.feature from short as s)
    union all
    select feature, 0 as bin, protein_id, 0::float as activation, draw
    from far
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
inner join drawable as d on r.protein_id = d.protein_id
