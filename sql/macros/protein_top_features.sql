-- output: protein_top_features
-- grain:  feature
-- inputs: protein_features, proteins, feature_meanings
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
--         $k INTEGER = 20            number of features
-- what:   The strongest features of one protein, each with the concept that it finds best on
--         held-out proteins.
select
    f.feature,
    f.activation,
    f.position,
    f.n_residues,
    m.concept
from protein_features as f
left join feature_meanings as m on f.sae = m.sae and f.feature = m.feature
where
    f.sae = $wanted_sae
    and f.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
order by f.activation desc, f.feature asc
limit $k
