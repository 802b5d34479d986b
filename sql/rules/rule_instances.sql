-- output: rule_instances
-- grain:  instance_id, mask
-- inputs: known_spans, rule_concepts, rule_residues
-- params: $concept_id INTEGER  concept
-- what:   The combinations of firing features that each instance on valid has; none where residues alone
--         count.
select distinct
    s.instance_id,
    r.mask
from known_spans as s
inner join rule_concepts as c on s.concept_id = c.concept_id
inner join rule_residues as r on s.protein_id = r.protein_id and r.position between s.start and s.stop
where s.concept_id = $concept_id and c.level = 'domain' and s.split = 'valid'
