-- output: rule_cells
-- grain:  protein_id, position, feature
-- inputs: activations, features, proteins, rule_candidates
-- params: $sae VARCHAR  SAE
-- what:   Where the features of any rule are active, on valid and test, normalised.
select
    a.protein_id,
    p.split,
    a.position,
    a.feature,
    (a.value / nullif(f.max_activation, 0))::float as activation
from activations as a
inner join features as f on a.sae = f.sae and a.feature = f.feature
inner join proteins as p on a.protein_id = p.protein_id
where
    a.sae = $sae and p.split in ('valid', 'test')
    and a.feature in (select c.feature from rule_candidates as c)
