-- output: label_counts
-- grain:  sae, label, feature, threshold
-- inputs: concept_bands, thresholds
-- params: none
-- what:   The counts of concept_bands, one row per threshold.
select
    n.sae,
    n.label,
    n.feature,
    t.threshold,
    case (t.rank - 1) % 5
        when 0 then n.residues_1
        when 1 then n.residues_2
        when 2 then n.residues_3
        when 3 then n.residues_4
        else n.residues_5
    end as tp,
    case (t.rank - 1) % 5
        when 0 then n.domains_1
        when 1 then n.domains_2
        when 2 then n.domains_3
        when 3 then n.domains_4
        else n.domains_5
    end as tp_per_domain
from concept_bands as n
inner join thresholds as t on n.band = (t.rank - 1) // 5
