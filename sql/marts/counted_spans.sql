-- output: counted_spans
-- grain:  sae, annotation_id
-- inputs: annotations, concepts, coverage, encodings, proteins
-- params: none
-- what:   The annotated spans that count for an SAE: of proteins that it has encoded and that the
--         concept's source covers, cut to the sequence.
select
    e.sae,
    p.protein_id,
    p.split,
    a.concept_id,
    c.level,
    a.instance_id,
    a.annotation_id,
    a.start,
    least(a.stop, p.length) as stop
from annotations as a
inner join proteins as p on a.protein_id = p.protein_id
inner join encodings as e on a.protein_id = e.protein_id
inner join concepts as c on a.concept_id = c.concept_id
inner join coverage as v on c.source = v.source and a.protein_id = v.protein_id
where a.start <= p.length
