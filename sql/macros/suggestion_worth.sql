-- output: suggestion_worth
-- grain:  concept
-- inputs: suggestion_trials
-- params: $wanted_sae VARCHAR                 SAE
--         $hidden_by VARCHAR = 'protein'      protein or cluster
--         $pct INTEGER = 20               percent of the carriers of each concept that were hidden
--         $wanted_seed INTEGER = 0            seed of the draw
-- what:   What suggestions are worth: how much of what was hidden they bring back on test, all concepts
--         together first (concept NULL), then each. A lift is the precision, a lower bound, times that of a
--         control: NULL where there is no control or it recovers nothing. Controls count on the concepts for
--         which the SAE has a pair.
with
trials as (
    select
        t.*,
        max(case when t.detector = 'sae' then t.n_pairs else 0 end) over (partition by t.concept) as n_own
    from suggestion_trials as t
    where t.sae = $wanted_sae and t.hide_by = $hidden_by and t.pct_hidden = $pct and t.seed = $wanted_seed
),

rows_of as (
    select
        concept,
        detector,
        n_own,
        n_tried,
        n_pairs,
        n_hidden_proteins,
        n_hidden,
        n_recovered,
        n_touched,
        n_suggestions,
        n_right,
        n_touching,
        n_best,
        n_right_of_best,
        n_touching_of_best
    from trials
    union all
    select
        null as concept,
        detector,
        max(n_own) as n_own,
        sum(n_tried)::bigint as n_tried,
        sum(n_pairs)::bigint as n_pairs,
        sum(n_hidden_proteins)::bigint as n_hidden_proteins,
        sum(n_hidden)::bigint as n_hidden,
        sum(n_recovered)::bigint as n_recovered,
        sum(n_touched)::bigint as n_touched,
        coalesce(sum(n_suggestions) filter (where n_own > 0), 0)::bigint as n_suggestions,
        coalesce(sum(n_right) filter (where n_own > 0), 0)::bigint as n_right,
        coalesce(sum(n_touching) filter (where n_own > 0), 0)::bigint as n_touching,
        coalesce(sum(n_best) filter (where n_own > 0), 0)::bigint as n_best,
        coalesce(sum(n_right_of_best) filter (where n_own > 0), 0)::bigint as n_right_of_best,
        coalesce(sum(n_touching_of_best) filter (where n_own > 0), 0)::bigint as n_touching_of_best
    from trials
    group by detector
),

rates as (
    select
        *,
        n_right / nullif(n_suggestions, 0)::double as precision,
        n_touching / nullif(n_suggestions, 0)::double as precision_touching,
        n_right_of_best / nullif(n_best, 0)::double as precision_of_best
    from rows_of
)

select
    s.concept,
    s.n_tried,
    s.n_pairs,
    s.n_hidden_proteins,
    s.n_hidden,
    s.n_recovered,
    s.n_touched,
    s.n_suggestions,
    s.precision,
    s.precision_touching,
    s.precision_of_best,
    a.n_recovered as n_recovered_amino_acid,
    a.precision as precision_amino_acid,
    p.n_recovered as n_recovered_position,
    p.precision as precision_position,
    s.precision / nullif(a.precision, 0) as lift_amino_acid,
    s.precision / nullif(p.precision, 0) as lift_position,
    s.precision_touching / nullif(a.precision_touching, 0) as lift_touching_amino_acid,
    s.precision_touching / nullif(p.precision_touching, 0) as lift_touching_position
from rates as s
left join rates as a on s.concept is not distinct from a.concept and a.detector = 'amino_acid'
left join rates as p on s.concept is not distinct from p.concept and p.detector = 'position'
where s.detector = 'sae'
order by s.concept is not null, s.n_recovered desc, s.concept
