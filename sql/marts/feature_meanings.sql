-- output: feature_meanings
-- grain:  sae, feature
-- inputs: heldout_pairs, concepts
-- params: none
-- what:   The concept that a feature finds best on held-out proteins, where it finds one; an amino acid
--         only where it finds nothing else.
select
    h.sae,
    h.feature,
    h.concept,
    c.category,
    c.source = 'sequence' as is_amino_acid,
    h.threshold,
    h.test_f1_per_domain
from heldout_pairs as h
inner join concepts as c on h.concept = c.concept
where h.is_found
qualify
    row_number() over (
        partition by h.sae, h.feature
        order by c.source = 'sequence' asc, h.test_f1_per_domain desc, h.concept asc
    ) = 1
