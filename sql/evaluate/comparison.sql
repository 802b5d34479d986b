-- output: comparison
-- grain:  sae
-- inputs: sae_metrics, saes
-- params: $wanted VARCHAR  what they were evaluated on
--         $saes VARCHAR[]  the SAEs; empty: all of them
-- what:   SAEs that were evaluated on the same proteins, the sparsest first.
select
    m.sae,
    s.architecture,
    s.k,
    s.plm,
    s.layer,
    s.n_features,
    m.n_proteins,
    m.l0,
    m.variance_explained,
    m.pct_recovered_unmasked,
    m.pct_recovered_masked,
    m.pct_dead,
    m.dtype,
    m.fingerprint
from sae_metrics as m
inner join saes as s on m.sae = s.sae
where m.evaluated_on = $wanted and (len($saes) = 0 or list_contains($saes, m.sae))
order by m.l0, m.sae
