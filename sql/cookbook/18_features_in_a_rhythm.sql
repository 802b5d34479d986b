-- output: features in a rhythm
-- grain:  sae, feature
-- inputs: feature_shapes, feature_meanings
-- params: none
-- what:   Which features come back along the sequence in a rhythm, and how many residues apart?
select
    s.sae,
    s.feature,
    s.period,
    s.second_period,
    round(s.pct_both_periods, 1) as pct_both_periods,
    s.median_runs,
    m.concept
from feature_shapes as s
left join feature_meanings as m on s.sae = m.sae and s.feature = m.feature
where s.shape = 'periodic'
order by s.pct_both_periods desc, s.sae, s.feature
