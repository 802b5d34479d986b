-- output: concept_f1
-- grain:  sae, split, concept, feature, threshold
-- inputs: concept_counts, source_firing, concept_support, scored_concepts, features, saes
-- params: none
-- what:   Precision, recall and F1 of every pair of a scored concept and a feature, on valid and test.
with
counts as (
    select
        n.sae,
        n.split,
        c.concept,
        n.feature,
        n.threshold,
        n.tp,
        f.n_residues - n.tp as fp,
        n.tp_per_domain,
        n.tp / f.n_residues::double as precision,
        n.tp / s.n_residues::double as recall,
        case
            when c.level = 'residue' then n.tp / s.n_residues::double
            else n.tp_per_domain / s.n_domains::double
        end as recall_per_domain
    from concept_counts as n
    inner join scored_concepts as c on n.sae = c.sae and n.concept_id = c.concept_id
    inner join concept_support as s on c.sae = s.sae and c.concept = s.concept and n.split = s.split
    inner join source_firing as f
        on
            n.sae = f.sae and c.source = f.source and n.split = f.split
            and n.feature = f.feature and n.threshold = f.threshold
    inner join features as x on n.sae = x.sae and n.feature = x.feature
    inner join saes as m on n.sae = m.sae
    where n.split in ('valid', 'test') and n.threshold * x.max_activation::double >= m.min_value
)

select
    sae,
    split,
    concept,
    feature,
    threshold,
    tp,
    fp,
    tp_per_domain,
    precision,
    recall,
    recall_per_domain,
    2 * precision * recall / (precision + recall) as f1,
    2 * precision * recall_per_domain / (precision + recall_per_domain) as f1_per_domain
from counts
