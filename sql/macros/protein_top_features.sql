-- output: protein_top_features
-- grain:  feature
-- inputs: protein_features, proteins, heldout_pairs
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
--         $k INTEGER = 20            number of features
-- what:   The strongest features of one protein, each with the concept that it finds best on
--         held-out proteins.
with
meanings as (
    select
        h.sae,
        h.feature,
        h.concept
    from heldout_pairs as h
    where h.is_found
    qualify
        row_number() over (
            partition by h.sae, h.feature
            order by h.test_f1_per_domain desc, h.concept asc
        ) = 1
)

select
    f.feature,
    f.activation,
    f.position,
    f.n_residues,
    m.concept
from protein_features as f
left join meanings as m on f.sae = m.sae and f.feature = m.feature
where
    f.sae = $wanted_sae
    and f.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
order by f.activation desc, f.feature asc
limit $k
