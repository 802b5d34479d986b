-- output: control_pairs
-- grain:  concept, role
-- inputs: sae_controls, heldout_pairs, concepts
-- params: $wanted_sae VARCHAR  SAE
-- what:   For each concept and control of an SAE, the control's best pair: feature and threshold as chosen
--         on valid, and what they give on test. Of neurons, features of both signs.
select
    h.concept,
    c.role,
    c.control,
    h.feature,
    h.threshold,
    h.valid_f1_per_domain,
    h.test_f1_per_domain,
    h.is_testable,
    h.is_found,
    o.source = 'sequence' as is_amino_acid
from sae_controls as c
inner join heldout_pairs as h on c.control = h.sae
inner join concepts as o on h.concept = o.concept
where c.sae = $wanted_sae and h.is_best
order by h.concept, c.role
