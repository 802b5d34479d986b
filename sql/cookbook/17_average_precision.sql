-- output: average precision
-- grain:  concept
-- inputs: heldout_pairs, precision_recall
-- params: none
-- what:   How well does a feature order the residues of test by a concept, whatever the threshold?
select
    'Signal peptide_any' as concept,
    max(average_precision) as average_precision,
    min(fp) filter (where recall >= 0.8) as false_alarms_at_recall_80
from
    precision_recall('demo-sae', 'Signal peptide_any', (
        select min(feature)
        from heldout_pairs
        where sae = 'demo-sae' and concept = 'Signal peptide_any' and is_best
    ))
