-- output: residue_features
-- grain:  feature
-- inputs: activations, features, proteins, feature_meanings
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
--         $wanted_position INTEGER   residue, 1-based
--         $k INTEGER = 5000          number of features
-- what:   The features that are active on one residue, the strongest first, each with the concept that it
--         finds best on held-out proteins.
select
    a.feature,
    a.value,
    (a.value / nullif(f.max_activation, 0))::float as activation,
    m.concept
from activations as a
inner join features as f on a.sae = f.sae and a.feature = f.feature
left join feature_meanings as m on a.sae = m.sae and a.feature = m.feature
where
    a.sae = $wanted_sae
    and a.position = $wanted_position
    and a.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
order by activation desc nulls last, a.feature
limit $k
