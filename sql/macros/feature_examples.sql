-- output: feature_examples
-- grain:  rank
-- inputs: protein_features, proteins
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
--         $k INTEGER = 10          number of proteins
-- what:   The proteins on which a feature is strongest, with the residue of its maximum.
with
strongest as (
    select
        p.accession,
        p.name,
        f.position,
        f.activation,
        f.n_residues,
        p.length
    from protein_features as f
    inner join proteins as p on f.protein_id = p.protein_id
    where f.sae = $wanted_sae and f.feature = $wanted_feature
    order by f.activation desc, p.accession asc
    limit $k
)

select
    row_number() over (order by activation desc, accession asc)::integer as rank,
    accession,
    name,
    position,
    activation,
    n_residues,
    length
from strongest
order by rank
