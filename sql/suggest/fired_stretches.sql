-- output: fired_stretches
-- grain:  feature, threshold, max_gap, protein_id, start
-- inputs: activations, chosen_pairs, features, pair_gaps, proteins
-- params: $sae VARCHAR    SAE
--         $split VARCHAR    proteins of this split; of every one where it is ''
-- what:   The maximal stretches on which the feature of a pair fires at the pair's threshold; gaps as
--         in pair_gaps are bridged.
with
detectors as (
    select distinct
        p.feature,
        p.threshold,
        g.max_gap
    from chosen_pairs as p
    inner join pair_gaps as g on p.concept_id = g.concept_id and p.feature = g.feature
),

scaled as (
    select
        a.protein_id,
        a.position,
        a.feature,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    inner join proteins as p on a.protein_id = p.protein_id
    where
        a.sae = $sae and ($split = '' or p.split = $split)
        and a.feature in (select d.feature from detectors as d)
),

fired as (
    select
        d.feature, d.threshold, d.max_gap, s.protein_id, s.position, s.activation,
        s.position - 1 - lag(s.position) over (
            partition by d.feature, d.threshold, d.max_gap, s.protein_id order by s.position asc
        ) as gap
    from scaled as s
    inner join detectors as d on s.feature = d.feature
    where s.activation > d.threshold::float
),

numbered as (
    select
        *,
        sum(case when gap <= max_gap then 0 else 1 end) over (
            partition by feature, threshold, max_gap, protein_id
            order by position asc rows between unbounded preceding and current row
        ) as stretch
    from fired
)

select
    feature,
    threshold,
    max_gap,
    protein_id,
    min(position) as start,
    max(position) as stop,
    count(*)::integer as n_firing,
    max(activation) as max_activation
from numbered
group by feature, threshold, max_gap, protein_id, stretch
