-- output: controls beside an sae
-- grain:  concept
-- inputs: control_concepts
-- params: none
-- what:   How well does each control find what an SAE finds? (After interplm-wh controls demo-sae.)
select
    concept,
    sae_f1,
    greatest(neurons_both_signs_f1, shuffled_f1, amino_acid_f1, position_f1) as best_control_f1
from control_concepts('demo-sae')
where is_found
order by sae_f1 - best_control_f1 desc
