-- output: feature_amino_acids_partial
-- grain:  sae, feature, amino_acid
-- inputs: chunk_activations, chunk_residues
-- params: $sae VARCHAR     SAE
--         $presence FLOAT  strict lower bound on normalised activation that counts as present
-- what:   Residues of each letter where a feature is present, in one block of proteins.
with
letters as (
    select b.feature, r.letter, count(*) as n_residues
    from chunk_activations as b
    inner join chunk_residues as r on b.place = r.place
    where b.activation > $presence::float
    group by b.feature, r.letter
)

select
    $sae as sae,
    feature,
    chr(letter) as amino_acid,
    n_residues,
    null::double as enrichment
from letters
