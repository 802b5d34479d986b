-- output: features
-- grain:  sae, feature
-- inputs: features_partial, sae_features
-- params: $sae VARCHAR           SAE
--         $scale_source VARCHAR  all, valid or checkpoint
-- what:   Every feature of the SAE with its scale: the checkpoint's, or the highest raw value seen;
--         0 where the feature is dead.
with
seen as (
    select feature, max(max_activation) as max_activation
    from features_partial
    where sae = $sae
    group by feature
)

select
    $sae as sae,
    f.feature,
    coalesce(
        case when $scale_source = 'checkpoint' then f.checkpoint_max else s.max_activation end, 0::float
    ) as max_activation,
    f.decoder_norm
from sae_features as f
left join seen as s on f.feature = s.feature
where f.sae = $sae
