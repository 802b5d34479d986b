-- output: saes side by side
-- grain:  sae
-- inputs: saes, heldout_pairs, concepts
-- params: none
-- what:   How many concepts does each SAE find, controls beside it?
select
    s.sae,
    s.role,
    s.control_of,
    count(distinct h.concept) as n_concepts_found,
    count(distinct h.feature) as n_features_with_concept
from saes as s
left join (
    select
        h.sae,
        h.concept,
        h.feature
    from heldout_pairs as h
    inner join concepts as c on h.concept = c.concept
    where h.is_found and c.source != 'sequence'
) as h on s.sae = h.sae
group by s.sae, s.role, s.control_of
order by n_concepts_found desc, s.sae
