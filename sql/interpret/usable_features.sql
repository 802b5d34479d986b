-- output: usable_features
-- grain:  feature
-- inputs: eligible_proteins, features, protein_features
-- params: $sae VARCHAR     SAE
--         $presence FLOAT  strict lower bound on normalised activation that counts as present
--         $seed INTEGER    seed of the draw
-- what:   On how many proteins that may be shown each feature is present, in the order in which features are
--         drawn.
with
present as (
    select f.feature, count(*) as n_shown
    from protein_features as f
    inner join eligible_proteins as p on f.protein_id = p.protein_id
    where f.sae = $sae and f.activation > $presence::float and p.side = 'shown'
    group by f.feature
)

select
    f.feature,
    f.max_activation,
    coalesce(p.n_shown, 0) as n_shown
from features as f
left join present as p on f.feature = p.feature
where f.sae = $sae
order by md5($seed::varchar || ':' || f.feature::varchar), f.feature
