-- output: hard_negatives
-- grain:  feature, protein_id
-- inputs: carriers, drawn_examples, open_places
-- params: none
-- what:   Up to five proteins without a feature that are most like those where it is strong: of one cluster
--         with one of them, then of one name, then with the concept that most of them carry.
with
strongest as (
    select feature, protein_id, family, name
    from drawn_examples
    where bin > 0
    qualify row_number() over (partition by feature order by activation desc, draw asc) <= 10
),

shared as (
    select s.feature, c.concept_id, count(*) as n_sharing, min(c.n_carriers) as n_carriers
    from strongest as s
    inner join carriers as c on s.protein_id = c.protein_id
    group by s.feature, c.concept_id
    having count(*) >= 2
    qualify
        row_number() over (
            partition by s.feature
            order by count(*) desc, min(c.n_carriers) asc, c.concept_id asc
        ) = 1
),

without as (
    select o.*
    from open_places as o
    anti join drawn_examples as d on o.feature = d.feature and o.protein_id = d.protein_id
    where o.bin = 0
),

alike as (
    select w.feature, w.protein_id, 1 as likeness
    from without as w
    semi join strongest as s on w.feature = s.feature and w.family = s.family
    union all
    select w.feature, w.protein_id, 2 as likeness
    from without as w
    semi join strongest as s on w.feature = s.feature and lower(w.name) = lower(s.name)
    union all
    select w.feature, w.protein_id, 3 as likeness
    from without as w
    inner join shared as s on w.feature = s.feature
    inner join carriers as c on s.concept_id = c.concept_id and w.protein_id = c.protein_id
),

nearest as (
    select feature, protein_id, min(likeness) as likeness
    from alike
    group by feature, protein_id
)

select
    w.feature,
    w.protein_id,
    w.side,
    w.family,
    w.name,
    w.sequence,
    w.position,
    w.activation,
    w.bin,
    'relative' as kind,
    w.draw
from without as w
inner join nearest as n on w.feature = n.feature and w.protein_id = n.protein_id
qualify row_number() over (partition by w.feature order by n.likeness asc, w.draw asc) <= 5
