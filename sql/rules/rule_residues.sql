-- output: rule_residues
-- grain:  protein_id, position
-- inputs: coverage, known_spans, rule_candidates, rule_cells, rule_concepts
-- params: $concept_id INTEGER  concept
-- what:   The residues of valid and test on which any feature of the concept's rules fires: which ones, as
--         bits, and whether the concept is annotated there.
with
fired as (
    select
        x.protein_id,
        x.split,
        x.position,
        bit_or(1::bigint << c.slot) as mask
    from rule_candidates as c
    inner join rule_concepts as r on c.concept_id = r.concept_id
    inner join rule_cells as x on c.feature = x.feature
    inner join coverage as v on r.source = v.source and x.protein_id = v.protein_id
    where c.concept_id = $concept_id and x.activation > c.threshold::float
    group by x.protein_id, x.split, x.position
),

hits as (
    select distinct f.protein_id, f.position
    from fired as f
    inner join known_spans as s on f.protein_id = s.protein_id and f.position between s.start and s.stop
    where s.concept_id = $concept_id
)

select
    f.protein_id,
    f.split,
    f.position,
    f.mask,
    h.position is not null as is_annotated
from fired as f
left join hits as h on f.protein_id = h.protein_id and f.position = h.position
