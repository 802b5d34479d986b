-- output: hidden_cells
-- grain:  protein_id, position, feature, threshold
-- inputs: activations, features, hidden_proteins, thresholds
-- params: $sae VARCHAR  SAE
-- what:   Where features fire at each threshold, on the proteins of valid where any concept is hidden.
select
    a.protein_id,
    a.position,
    a.feature,
    t.threshold
from activations as a
inner join features as f on a.sae = f.sae and a.feature = f.feature
inner join thresholds as t on (a.value / nullif(f.max_activation, 0))::float > t.threshold::float
where
    a.sae = $sae
    and a.protein_id in (select h.protein_id from hidden_proteins as h where h.split = 'valid')
