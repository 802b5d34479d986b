-- output: concept_f1
-- grain:  sae, split, concept, feature, threshold
-- inputs: concept_support, features, label_counts, saes, scored_concepts, source_firing
-- params: none
-- what:   Precision, recall and F1 of every pair of a scored concept and a feature, on valid and test.
with
labels as (
    select
        s.sae, s.split, c.concept, c.level, c.source, s.n_residues, s.n_domains,
        c.concept_id * 3 + case s.split when 'valid' then 1 else 2 end as label
    from scored_concepts as c
    inner join concept_support as s on c.sae = s.sae and c.concept = s.concept
    where s.split in ('valid', 'test')
),

counts as (
    select
        l.sae, l.split, l.concept, l.level, l.source, l.n_residues, l.n_domains, n.feature, n.threshold,
        n.tp, n.tp_per_domain as n_hit
    from label_counts as n
    inner join labels as l on n.sae = l.sae and n.label = l.label
    inner join features as x on n.sae = x.sae and n.feature = x.feature
    inner join saes as m on n.sae = m.sae
    where
        n.threshold * x.max_activation::double >= m.min_value
        -- said twice, so that a question about one concept reads its own rows alone
        and n.label in (select o.label from labels as o)
),

measures as (
    select
        c.sae, c.split, c.concept, c.feature, c.threshold, c.tp,
        f.n_residues - c.tp as fp,
        case when c.level = 'domain' then c.n_hit end as tp_per_domain,
        c.tp / f.n_residues::double as precision,
        c.tp / c.n_residues::double as recall,
        case when c.level = 'domain' then c.n_hit / c.n_domains::double else c.tp / c.n_residues::double end
            as recall_per_domain
    from counts as c
    inner join source_firing as f
        on
            c.sae = f.sae and c.source = f.source and c.split = f.split
            and c.feature = f.feature and c.threshold = f.threshold
    where c.tp > 0
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
from measures
