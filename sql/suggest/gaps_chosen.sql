-- output: pair_gaps
-- grain:  concept_id, feature
-- inputs: chosen_pairs, fired_stretches, hidden_spans, known_spans, pair_gaps
-- params: none
-- what:   The gap of each pair: that with which stretches overlap most instances on valid by half of the
--         union or more, the smallest of several. Their share is the pair's extent.
with
instances as (
    select
        s.concept_id,
        s.instance_id,
        sum(s.stop - s.start + 1)::bigint as n_residues
    from known_spans as s
    left join hidden_spans as h on s.concept_id = h.concept_id and s.annotation_id = h.annotation_id
    where s.split = 'valid' and h.annotation_id is null
    group by s.concept_id, s.instance_id
),

shared as (
    select
        g.concept_id,
        g.feature,
        g.max_gap,
        s.instance_id,
        f.stop - f.start + 1 as n_fired,
        sum(least(f.stop, s.stop) - greatest(f.start, s.start) + 1)::bigint as n_shared
    from chosen_pairs as p
    inner join pair_gaps as g on p.concept_id = g.concept_id and p.feature = g.feature
    inner join fired_stretches as f
        on p.feature = f.feature and p.threshold = f.threshold and g.max_gap = f.max_gap
    inner join known_spans as s
        on
            p.concept_id = s.concept_id and f.protein_id = s.protein_id
            and f.stop >= s.start and f.start <= s.stop
    group by g.concept_id, g.feature, g.max_gap, s.instance_id, f.start, f.stop
),

covered as (
    select
        s.concept_id,
        s.feature,
        s.max_gap,
        count(distinct s.instance_id) as n_covered
    from shared as s
    inner join instances as i on s.concept_id = i.concept_id and s.instance_id = i.instance_id
    where 2 * s.n_shared >= s.n_fired + i.n_residues - s.n_shared
    group by s.concept_id, s.feature, s.max_gap
),

numbers as (
    select concept_id, count(*) as n_instances
    from instances
    group by concept_id
)

select
    g.concept_id,
    g.feature,
    g.max_gap,
    coalesce(c.n_covered / n.n_instances::double, 0) as extent
from pair_gaps as g
left join numbers as n on g.concept_id = n.concept_id
left join covered as c on g.concept_id = c.concept_id and g.feature = c.feature and g.max_gap = c.max_gap
qualify
    row_number() over (
        partition by g.concept_id, g.feature order by coalesce(c.n_covered, 0) desc, g.max_gap asc
    ) = 1
