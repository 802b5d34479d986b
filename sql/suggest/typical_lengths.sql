-- output: typical_lengths
-- grain:  concept_id
-- inputs: hidden_spans, known_spans
-- params: none
-- what:   The median number of residues of a concept's instances.
with
instances as (
    select
        s.concept_id,
        s.instance_id,
        sum(s.stop - s.start + 1)::bigint as n_residues
    from known_spans as s
    left join hidden_spans as h on s.concept_id = h.concept_id and s.annotation_id = h.annotation_id
    where h.annotation_id is null
    group by s.concept_id, s.instance_id
)

select
    concept_id,
    median(n_residues)::double as n_residues
from instances
group by concept_id
