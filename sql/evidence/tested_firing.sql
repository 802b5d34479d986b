-- output: tested_firing
-- grain:  feature, protein_id, position
-- inputs: activations, features, proteins
-- params: $sae VARCHAR           SAE
--         $features INTEGER[]    features, 0-based
--         $lowest DOUBLE         lowest threshold of any of them
-- what:   Where some features are active on the proteins of test, and how strongly.
with
wanted as (
    select
        x.feature,
        x.max_activation
    from features as x
    where x.sae = $sae and x.max_activation > 0 and list_contains($features, x.feature)
)

select
    a.feature,
    a.protein_id,
    a.position,
    (a.value / w.max_activation)::float as activation
from activations as a
inner join wanted as w on a.feature = w.feature
where
    a.sae = $sae
    and a.feature in (select v.feature from wanted as v)
    and a.protein_id in (select p.protein_id from proteins as p where p.split = 'test')
    and (a.value / w.max_activation)::float > $lowest::float
order by a.feature, a.protein_id, a.position
