-- output: sae_metrics
-- grain:  sae, evaluated_on
-- inputs: evaluation, evaluated_features, evaluated_entropies
-- params: none
-- what:   What was counted of one SAE, as means and shares. Cross-entropies are means over proteins.
with
firing as (
    select
        sum(n_firing)::bigint as n_firing,
        count(*) as n_features,
        count(*) filter (where n_firing = 0) as n_dead
    from evaluated_features
),

entropies as (
    select
        count(*) as n_proteins,
        avg(unmasked_original) as unmasked_original,
        avg(unmasked_zero) as unmasked_zero,
        avg(unmasked_sae) as unmasked_sae,
        avg(masked_original) as masked_original,
        avg(masked_zero) as masked_zero,
        avg(masked_sae) as masked_sae
    from evaluated_entropies
)

select
    e.sae,
    e.evaluated_on,
    e.n_proteins,
    e.n_residues,
    e.variance_explained,
    e.mse,
    f.n_firing::double / e.n_residues as l0,
    f.n_dead,
    100.0::double * f.n_dead / f.n_features as pct_dead,
    c.n_proteins as n_fidelity_proteins,
    c.unmasked_original as ce_unmasked_original,
    c.unmasked_zero as ce_unmasked_zero,
    c.unmasked_sae as ce_unmasked_sae,
    100.0::double * (c.unmasked_zero - c.unmasked_sae)
    / nullif(c.unmasked_zero - c.unmasked_original, 0) as pct_recovered_unmasked,
    c.masked_original as ce_masked_original,
    c.masked_zero as ce_masked_zero,
    c.masked_sae as ce_masked_sae,
    100.0::double * (c.masked_zero - c.masked_sae)
    / nullif(c.masked_zero - c.masked_original, 0) as pct_recovered_masked,
    e.fingerprint,
    e.dtype,
    e.package_version
from evaluation as e
cross join firing as f
cross join entropies as c
