-- output: control_excess
-- grain:  concept, control
-- inputs: concept_f1, concepts, measured_controls, saes
-- params: $sae VARCHAR  SAE
-- what:   Each concept's best pair beside that of each control, and which control does best on test. Tried
--         are the features times thresholds with a hit on valid, from which either pair was chosen.
with
tried as (
    select
        f.sae,
        f.concept,
        count(*) as n_tried
    from concept_f1 as f
    where
        f.split = 'valid'
        and (f.sae = $sae or f.sae in (select distinct m.control from measured_controls as m))
    group by f.sae, f.concept
)

select
    c.concept,
    m.control,
    s.role as control_role,
    m.feature,
    m.threshold,
    m.control_feature,
    m.control_threshold,
    m.f1_per_domain,
    m.control_f1,
    m.f1_per_domain - m.control_f1 as excess,
    m.excess_low,
    m.excess_high,
    m.n_resamples,
    m.n_proteins,
    m.n_clusters,
    coalesce(t.n_tried, 0) as n_tried,
    coalesce(o.n_tried, 0) as control_n_tried,
    row_number() over (partition by c.concept order by m.control_f1 desc nulls last, m.control asc) = 1
        as is_best_control
from measured_controls as m
inner join concepts as c on m.concept_id = c.concept_id
inner join saes as s on m.control = s.sae
left join tried as t on t.sae = $sae and c.concept = t.concept
left join tried as o on m.control = o.sae and c.concept = o.concept
order by c.concept, m.control
