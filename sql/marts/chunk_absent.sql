-- output: chunk_absent
-- grain:  feature, protein_id
-- inputs: chunk_drawable, chunk_near, chunk_peaks, chunk_without
-- params: none
-- what:   Proteins of a chunk without a feature, among them the ten that are drawn first: those that are
--         near, and all where there are less than ten of them.
with
found as (
    select feature, count(*) as n_near
    from chunk_near
    group by feature
),

short as (
    select c.feature
    from chunk_without as c
    left join found as f on c.feature = f.feature
    where coalesce(f.n_near, 0) < least(10, c.n_without)
),

taken as (
    select x.feature, x.protein_id
    from chunk_peaks as x
    inner join short as s on x.feature = s.feature
),

keyed as (
    select
        s.feature,
        p.protein_id,
        p.sample_key,
        p.place,
        (p.sample_key + s.feature * 1103515245::bigint) % 2147483647 as x
    from short as s
    cross join chunk_drawable as p
)

select feature, protein_id, draw
from chunk_near
where feature not in (select s.feature from short as s)
union all
select k.feature, k.protein_id, ((k.x * k.x + k.sample_key) % 2147483647) * 2147483648 + k.place as draw
from keyed as k
where not exists (select 1 from taken as t where t.feature = k.feature and t.protein_id = k.protein_id)
