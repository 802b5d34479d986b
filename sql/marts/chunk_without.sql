-- output: chunk_without
-- grain:  feature
-- inputs: chunk_drawable, chunk_peaks, features
-- params: $sae VARCHAR  SAE
-- what:   How many proteins of a chunk are without each feature.
with
total as (
    select count(*) as n_proteins
    from chunk_drawable
),

present as (
    select feature, count(*) as n_proteins
    from chunk_peaks
    group by feature
)

select
    f.feature,
    t.n_proteins - coalesce(p.n_proteins, 0) as n_without
from features as f
cross join total as t
left join present as p on f.feature = p.feature
where f.sae = $sae
