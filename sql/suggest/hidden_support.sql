-- output: hidden_support
-- grain:  concept_id
-- inputs: hidden_proteins, known_spans
-- params: none
-- what:   Residues and instances of each concept on the proteins of valid where it is hidden.
with
own as (
    select s.concept_id, s.protein_id, s.instance_id, s.start, s.stop
    from hidden_proteins as h
    inner join known_spans as s on h.protein_id = s.protein_id and h.concept_id = s.concept_id
    where h.split = 'valid'
),

residues as (
    select distinct o.concept_id, o.protein_id, r.position
    from own as o
    cross join unnest(range(o.start, o.stop + 1)) as r (position)
),

counted as (
    select concept_id, count(*) as n_residues
    from residues
    group by concept_id
)

select
    o.concept_id,
    max(c.n_residues) as n_residues,
    count(distinct o.instance_id) as n_domains
from own as o
inner join counted as c on o.concept_id = c.concept_id
group by o.concept_id
