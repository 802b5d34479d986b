-- output: hidden_residues
-- grain:  concept_id, instance_id, position
-- inputs: hidden_proteins, known_spans
-- params: none
-- what:   The residues of the hidden instances of test.
select distinct
    h.concept_id,
    s.protein_id,
    s.instance_id,
    r.position::integer as position
from hidden_proteins as h
inner join known_spans as s on h.protein_id = s.protein_id and h.concept_id = s.concept_id
cross join unnest(range(s.start, s.stop + 1)) as r (position)
where h.split = 'test'
