-- output: absent_examples
-- grain:  sae, feature, rank
-- inputs: encodings, example_draws, features, protein_features
-- params: $sae VARCHAR  SAE
-- what:   Ten proteins drawn among those without a feature. Draws are spread evenly, so that those up to
--         a reach where forty are expected are looked at first, and all only where ten were not found.
with
present as (
    select feature, protein_id
    from protein_features
    where sae = $sae
),

total as (
    select count(*) as n_proteins
    from encodings
    where sae = $sae
),

counts as (
    select f.feature, max(t.n_proteins) - count(x.protein_id) as n_without
    from features as f
    cross join total as t
    left join present as x on f.feature = x.feature
    where f.sae = $sae
    group by f.feature
),

near as (
    select d.feature, d.protein_id, d.draw
    from example_draws as d
    inner join counts as c on d.feature = c.feature
    where
        d.sae = $sae
        and d.draw // 2147483648 <= 85899345880 // greatest(c.n_without, 1)
        and not exists (
            select 1 from present as x where x.feature = d.feature and x.protein_id = d.protein_id
        )
),

short as (
    select c.feature
    from counts as c
    left join near as n on c.feature = n.feature
    group by c.feature
    having count(n.protein_id) < least(10, max(c.n_without))
),

drawn as (
    select feature, protein_id, draw
    from near
    where feature not in (select s.feature from short as s)
    union all
    select d.feature, d.protein_id, d.draw
    from example_draws as d
    inner join short as s on d.feature = s.feature
    where
        d.sae = $sae
        and not exists (
            select 1 from present as x where x.feature = d.feature and x.protein_id = d.protein_id
        )
)

select
    $sae as sae,
    feature,
    row_number() over (partition by feature order by draw asc)::integer as rank,
    protein_id
from drawn
qualify row_number() over (partition by feature order by draw asc) <= 10
