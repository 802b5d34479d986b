-- output: best_concepts
-- grain:  feature
-- inputs: concept_f1, concepts
-- params: $sae VARCHAR         SAE
--         $features INTEGER[]  features
-- what:   The annotated concept that each feature marks best on valid, and how well there; test is not read.
select
    f.feature,
    c.concept_id,
    f.concept,
    f.f1_per_domain
from concept_f1 as f
inner join concepts as c on f.concept = c.concept
where
    f.sae = $sae
    and list_contains($features, f.feature)
    and f.split = 'valid'
    and c.source != 'sequence'
    and f.f1_per_domain >= 0.2
qualify
    row_number() over (
        partition by f.feature
        order by f.f1_per_domain desc, f.f1 desc, f.threshold desc, f.concept asc
    ) = 1
