-- output: concept_spans
-- grain:  accession, start, stop
-- inputs: annotations, concepts, proteins
-- params: $wanted_concept VARCHAR       concept
--         $wanted_accessions VARCHAR[]  proteins
-- what:   Where one concept is annotated on several proteins, as `annotations_of` lays it out: all in the
--         first lane.
select distinct
    p.accession,
    1 as lane,
    c.concept,
    c.category,
    a.start,
    least(a.stop, p.length) as stop,
    1::bigint as n_concepts
from annotations as a
inner join concepts as c on a.concept_id = c.concept_id
inner join proteins as p on a.protein_id = p.protein_id
where c.concept = $wanted_concept and list_contains($wanted_accessions, p.accession)
order by p.accession, a.start, stop
