-- output: chunk_near
-- grain:  feature, protein_id
-- inputs: chunk_drawable, chunk_peaks, chunk_without
-- params: none
-- what:   Proteins of a chunk without a feature that are drawn early. Draws are spread evenly: they are
--         those up to a reach where forty are expected.
with
keyed as (
    select
        c.feature,
        85899345880 // c.n_without as reach,
        p.protein_id,
        p.sample_key,
        p.place,
        (p.sample_key + c.feature * 1103515245::bigint) % 2147483647 as x
    from chunk_without as c
    cross join chunk_drawable as p
    where c.n_without > 0
),

near as (
    select feature, protein_id, ((x * x + sample_key) % 2147483647) * 2147483648 + place as draw
    from keyed
    where (x * x + sample_key) % 2147483647 <= reach
),

-- Found among the few that are near, and not among all peaks, of which an engine would keep a table.
taken as (
    select n.feature, n.protein_id
    from near as n
    inner join chunk_peaks as x on n.feature = x.feature and n.protein_id = x.protein_id
)

select n.feature, n.protein_id, n.draw
from near as n
where not exists (select 1 from taken as t where t.feature = n.feature and t.protein_id = n.protein_id)
