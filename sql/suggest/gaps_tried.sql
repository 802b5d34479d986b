-- output: pair_gaps
-- grain:  concept_id, feature, max_gap
-- inputs: chosen_pairs
-- params: $gaps INTEGER[]  residues
-- what:   How many residues may lie between two that fire and still belong together: all that are tried; none
--         where residues are annotated one by one.
select
    p.concept_id,
    p.feature,
    g.gap::integer as max_gap
from chosen_pairs as p
cross join unnest($gaps) as g (gap)
where p.level = 'domain' or g.gap = 0
