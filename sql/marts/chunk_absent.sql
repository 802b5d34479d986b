-- output: chunk_absent
-- grain:  feature, protein_id
-- inputs: chunk_drawable, chunk_peaks, features
-- params: $sae VARCHAR  SAE
-- what:   Proteins of a chunk without a feature, among them the ten that are drawn first. Draws are spread
--         evenly, so that those up to a reach where forty are expected are looked at, and all only where
--         ten were not found.
with
total as (
    select count(*) as n_proteins
    from chunk_drawable
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
    cross join chunk_drawable as p
    where c.n_without > 0
),

near as (
    select k.feature, k.protein_id, k.x, k.sample_key, k.place
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

found as (
    select feature, protein_id, x, sample_key, place
    from near
    where feature not in (select s.feature from short as s)
    union all
    select k.feature, k.protein_id, k.x, k.sample_key, k.place
    from keyed as k
    inner join short as s on k.feature = s.feature
    where
        not exists (
            select 1 from chunk_peaks as x where x.feature = k.feature and x.protein_id = k.protein_id
        )
)

select feature, protein_id, ((x * x + sample_key) % 2147483647) * 2147483648 + place as draw
from found
