-- output: told_facts
-- grain:  feature
-- inputs: best_concepts, best_words, chosen_examples, fact_cuts, preferred_letters, shown_shapes
-- params: none
-- what:   All that a plain sentence on a feature is made from: the concept, the amino acids, the shape, the
--         word, and what is predicted from which of them.
with
letters as (
    select
        feature,
        string_agg(amino_acid, ', ' order by rank asc) as letters,
        max(case when rank = 1 then enrichment end) as enrichment
    from preferred_letters
    group by feature
),

shown as (
    select
        feature,
        count(*) filter (where kind = 'active') as n_active,
        median(activation)::double as middle
    from chosen_examples
    where side = 'shown'
    group by feature
),

words as (
    select b.feature, b.word, b.n_carrying
    from best_words as b
)

select
    e.feature,
    e.n_active,
    e.middle,
    c.concept,
    c.f1_per_domain,
    l.letters,
    l.enrichment,
    s.shape,
    s.median_top_length,
    s.period,
    s.pct_of_protein,
    w.word,
    w.n_carrying,
    f.fact,
    f.cut,
    f.above,
    f.below
from shown as e
left join best_concepts as c on e.feature = c.feature
left join letters as l on e.feature = l.feature
left join shown_shapes as s on e.feature = s.feature
left join words as w on e.feature = w.feature
left join fact_cuts as f on e.feature = f.feature
order by e.feature
