-- output: recoveries
-- grain:  concept_id, rank, instance_id
-- inputs: concepts, hidden_residues, marked_suggestions
-- params: none
-- what:   Leading suggestions and the hidden instances that they touch, with the overlap over the union.
with
instances as (
    select concept_id, protein_id, instance_id, count(*) as n_residues
    from hidden_residues
    group by concept_id, protein_id, instance_id
),

shared as (
    select c.concept_id, m.rank, h.instance_id, m.stop - m.start + 1 as n_suggested, count(*) as n_shared
    from marked_suggestions as m
    inner join concepts as c on m.concept = c.concept
    inner join hidden_residues as h
        on
            c.concept_id = h.concept_id and m.protein_id = h.protein_id
            and h.position between m.start and m.stop
    where m.is_leading
    group by c.concept_id, m.rank, h.instance_id, m.start, m.stop
)

select
    o.concept_id,
    o.rank,
    o.instance_id,
    o.n_shared / (o.n_suggested + i.n_residues - o.n_shared)::double as iou
from shared as o
inner join instances as i on o.concept_id = i.concept_id and o.instance_id = i.instance_id
