-- output: hidden_counts
-- grain:  concept_id, feature, threshold
-- inputs: hidden_cells, hidden_proteins, known_spans
-- params: none
-- what:   Where each feature fires on the proteins of valid on which a concept is hidden, and what it hits:
--         counts to be taken off those of all of valid.
with
per_protein as (
    select protein_id, feature, threshold, count(*) as n_fired
    from hidden_cells
    group by protein_id, feature, threshold
),

fired as (
    select h.concept_id, c.feature, c.threshold, sum(c.n_fired)::bigint as n_fired
    from hidden_proteins as h
    inner join per_protein as c on h.protein_id = c.protein_id
    where h.split = 'valid'
    group by h.concept_id, c.feature, c.threshold
),

hits as (
    select
        h.concept_id,
        c.feature,
        c.threshold,
        count(distinct c.protein_id * 1048576::bigint + c.position) as tp,
        count(distinct s.instance_id) as n_hit
    from hidden_proteins as h
    inner join known_spans as s on h.protein_id = s.protein_id and h.concept_id = s.concept_id
    inner join hidden_cells as c on s.protein_id = c.protein_id and c.position between s.start and s.stop
    where h.split = 'valid'
    group by h.concept_id, c.feature, c.threshold
)

select
    f.concept_id,
    f.feature,
    f.threshold,
    f.n_fired,
    coalesce(h.tp, 0) as tp,
    coalesce(h.n_hit, 0) as n_hit
from fired as f
left join hits as h on f.concept_id = h.concept_id and f.feature = h.feature and f.threshold = h.threshold
