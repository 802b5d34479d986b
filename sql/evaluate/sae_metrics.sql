-- output: sae_metrics
-- grain:  sae, evaluated_on
-- inputs: evaluation, evaluated_features, evaluated_entropies, evaluated_before
-- params: none
-- what:   What was counted of one SAE, as means and shares. Cross-entropies are means over proteins;
--         where none were taken, those of the evaluation before stay if all that they depend on is the same.
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
        count(*) as n_fidelity_proteins,
        avg(unmasked_original) as ce_unmasked_original,
        avg(unmasked_zero) as ce_unmasked_zero,
        avg(unmasked_sae) as ce_unmasked_sae,
        avg(masked_original) as ce_masked_original,
        avg(masked_zero) as ce_masked_zero,
        avg(masked_sae) as ce_masked_sae
    from evaluated_entropies
    having count(*) > 0
    union all
    select
        b.n_fidelity_proteins,
        b.ce_unmasked_original,
        b.ce_unmasked_zero,
        b.ce_unmasked_sae,
        b.ce_masked_original,
        b.ce_masked_zero,
        b.ce_masked_sae
    from evaluated_before as b
    inner join evaluation as e
        on
            b.sae = e.sae
            and b.evaluated_on = e.evaluated_on
            and b.fingerprint = e.fingerprint
            and b.dtype = e.dtype
            and b.package_version = e.package_version
    where not exists (from evaluated_entropies)
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
    coalesce(c.n_fidelity_proteins, 0) as n_fidelity_proteins,
    c.ce_unmasked_original,
    c.ce_unmasked_zero,
    c.ce_unmasked_sae,
    100.0::double * (c.ce_unmasked_zero - c.ce_unmasked_sae)
    / nullif(c.ce_unmasked_zero - c.ce_unmasked_original, 0) as pct_recovered_unmasked,
    c.ce_masked_original,
    c.ce_masked_zero,
    c.ce_masked_sae,
    100.0::double * (c.ce_masked_zero - c.ce_masked_sae)
    / nullif(c.ce_masked_zero - c.ce_masked_original, 0) as pct_recovered_masked,
    e.fingerprint,
    e.dtype,
    e.package_version
from evaluation as e
cross join firing as f
left join entropies as c on true
