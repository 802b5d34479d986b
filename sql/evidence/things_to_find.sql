-- output: things_to_find
-- grain:  concept_id, protein_id
-- inputs: counted_spans
-- params: $sae VARCHAR           SAE
--         $concepts INTEGER[]    concept_id of the concepts
-- what:   What there is to find of some concepts on each protein of test: instances, or residues at level
--         'residue'.
with
instances as (
    select distinct concept_id, level, protein_id, instance_id
    from counted_spans
    where sae = $sae and split = 'test' and list_contains($concepts, concept_id)
),

residues as (
    select distinct s.concept_id, s.protein_id, r.position
    from counted_spans as s
    cross join unnest(range(s.start, s.stop + 1)) as r (position)
    where s.sae = $sae and s.split = 'test' and s.level = 'residue' and list_contains($concepts, s.concept_id)
)

select concept_id, protein_id, count(*) as n_to_find
from instances
where level = 'domain'
group by concept_id, protein_id
union all
select concept_id, protein_id, count(*) as n_to_find
from residues
group by concept_id, protein_id
order by concept_id, protein_id
