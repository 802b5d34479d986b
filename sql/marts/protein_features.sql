-- output: protein_features
-- grain:  sae, feature, protein_id
-- inputs: chunk_peaks
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the chunk
--         $last_protein INTEGER   last protein of the chunk
-- what:   The strongest residue of each feature on each protein, and how many residues have it.
select
    $sae as sae,
    feature,
    protein_id,
    activation,
    position,
    n_residues
from chunk_peaks
where protein_id between $first_protein and $last_protein
