-- output: variant_correlations
-- grain:  measure, feature
-- inputs: feature_correlations, given_intervals, given_p_values, measure_correlations
-- params: $protein_id INTEGER   protein
--         $measurement VARCHAR  measured effect
-- what:   All correlations of one measured effect, with the intervals that were drawn and the p-values,
--         corrected for the features tried (Benjamini and Hochberg, 1995).
with
counted as (
    select
        f.*,
        p.p_value as p,
        count(*) over () as n_tried,
        count(p.p_value) over () as m,
        row_number() over (order by p.p_value asc nulls last, f.feature asc) as place
    from feature_correlations as f
    left join given_p_values as p on f.feature = p.feature
),

corrected as (
    select
        *,
        atanh(greatest(least(spearman, 0.999999), -0.999999)) as z,
        least(min(p * m / place) over (order by place desc rows unbounded preceding), 1::double) as q
    from counted
)

select
    $protein_id as protein_id,
    $measurement as measurement,
    m.measure,
    null::integer as feature,
    m.n_variants,
    m.n_changed,
    m.n_positions,
    m.spearman,
    i.low as spearman_low,
    i.high as spearman_high,
    m.pearson,
    null::double as p_value,
    null::double as q_value,
    null::bigint as n_tried
from measure_correlations as m
left join given_intervals as i on m.measure = i.measure
union all
select
    $protein_id as protein_id,
    $measurement as measurement,
    'feature' as measure,
    c.feature,
    c.n_variants,
    c.n_changed,
    c.n_positions,
    c.spearman,
    tanh(c.z - 1.959964 * c.standard_error) as spearman_low,
    tanh(c.z + 1.959964 * c.standard_error) as spearman_high,
    c.pearson,
    c.p as p_value,
    case when c.p is not null then c.q end as q_value,
    c.n_tried
from corrected as c
