-- output: judged_stretches
-- grain:  concept_id, feature, protein_id, start
-- inputs: chosen_pairs, coverage, explaining_concepts, fired_stretches, hidden_spans, known_spans,
--         pair_gaps
-- params: none
-- what:   Every stretch on which a pair fires, on the proteins in which the concept's source looked: where
--         the concept is annotated, where another annotation explains it, and what is left: a suggestion.
with
placed as (
    select
        p.concept_id,
        p.feature,
        p.threshold,
        p.precision,
        g.extent,
        s.protein_id,
        s.start,
        s.stop,
        s.n_firing,
        s.max_activation
    from chosen_pairs as p
    inner join pair_gaps as g on p.concept_id = g.concept_id and p.feature = g.feature
    inner join fired_stretches as s
        on p.feature = s.feature and p.threshold = s.threshold and g.max_gap = s.max_gap
    inner join coverage as v on p.source = v.source and s.protein_id = v.protein_id
),

touched as (
    select
        p.concept_id,
        p.feature,
        p.protein_id,
        p.start,
        bool_or(s.concept_id = p.concept_id) as is_annotated
    from placed as p
    inner join known_spans as s
        on p.protein_id = s.protein_id and p.stop >= s.start and p.start <= s.stop
    left join explaining_concepts as e
        on p.concept_id = e.concept_id and p.feature = e.feature and s.concept_id = e.other_id
    left join hidden_spans as h on p.concept_id = h.concept_id and s.annotation_id = h.annotation_id
    where h.annotation_id is null and (s.concept_id = p.concept_id or e.other_id is not null)
    group by p.concept_id, p.feature, p.protein_id, p.start
)

select
    p.*,
    case
        when t.is_annotated then 'annotated'
        when not t.is_annotated then 'explained'
        else 'suggested'
    end as outcome
from placed as p
left join touched as t
    on
        p.concept_id = t.concept_id and p.feature = t.feature
        and p.protein_id = t.protein_id and p.start = t.start
