-- output: rest_f1
-- grain:  concept_id, feature, threshold
-- inputs: concept_f1, hidden_counts, rest_support
-- params: $sae VARCHAR  SAE
-- what:   concept_f1 on the rest of valid: less the proteins on which the concept is hidden.
with
counts as (
    select
        s.concept_id, s.level, s.n_residues, s.n_domains, f.feature, f.threshold,
        f.tp - coalesce(h.tp, 0) as tp,
        f.tp + f.fp - coalesce(h.n_fired, 0) as n_fired,
        f.tp_per_domain - coalesce(h.n_hit, 0) as n_hit
    from concept_f1 as f
    inner join rest_support as s on f.concept = s.concept
    left join hidden_counts as h
        on s.concept_id = h.concept_id and f.feature = h.feature and f.threshold = h.threshold
    where f.sae = $sae and f.split = 'valid'
),

measures as (
    select
        concept_id,
        feature,
        threshold,
        tp / n_fired::double as precision,
        tp / n_residues::double as recall,
        case when level = 'domain' then n_hit / n_domains::double else tp / n_residues::double end
            as recall_per_domain
    from counts
    where tp > 0
)

select
    concept_id,
    feature,
    threshold,
    precision,
    2 * precision * recall / (precision + recall) as f1,
    2 * precision * recall_per_domain / (precision + recall_per_domain) as f1_per_domain
from measures
