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
        f.protein_id,
        f.activation,
        f.position,
        f.n_residues,
        p.accession,
        p.name,
        p.length,
        row_number() over (order by f.activation desc, p.accession asc) as rank
    from protein_features as f
    inner join proteins as p on f.protein_id = p.protein_id
    where f.sae = $wanted_sae and f.feature = $wanted_feature
)

select
    rank::integer as rank,
    accession,
    name,
    position,
    activation,
    n_residues,
    length
from strongest
where rank <= $k
order by rank
