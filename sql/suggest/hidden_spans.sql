-- output: hidden_spans
-- grain:  concept_id, annotation_id
-- inputs: concepts, hidden_proteins, known_spans
-- params: none
-- what:   The annotations that are hidden while a concept is looked for: its own on its hidden proteins, and
--         their twins, the same spans under its category as a whole (…_any) or under a kind of it.
with
own as (
    select
        h.concept_id,
        s.protein_id,
        s.annotation_id,
        s.start,
        s.stop
    from hidden_proteins as h
    inner join known_spans as s on h.protein_id = s.protein_id and h.concept_id = s.concept_id
),

twins as (
    select
        c.concept_id,
        t.concept_id as twin_id
    from concepts as c
    inner join concepts as t on c.source = t.source and c.category = t.category
    where c.concept_id <> t.concept_id and (ends_with(c.concept, '_any') or ends_with(t.concept, '_any'))
)

select
    concept_id,
    annotation_id
from own
union
select
    o.concept_id,
    s.annotation_id
from own as o
inner join twins as t on o.concept_id = t.concept_id
inner join known_spans as s
    on
        t.twin_id = s.concept_id and o.protein_id = s.protein_id
        and o.start = s.start and o.stop = s.stop
