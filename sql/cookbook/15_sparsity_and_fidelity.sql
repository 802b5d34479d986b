-- output: sparsity and fidelity
-- grain:  sae, evaluated_on
-- inputs: sae_metrics, saes
-- params: none
-- what:   How sparse and how faithful is each SAE, where it was evaluated?
select
    m.evaluated_on,
    m.sae,
    s.architecture,
    s.layer,
    round(m.l0, 1) as l0,
    round(m.variance_explained, 3) as variance_explained,
    round(m.pct_recovered_masked, 1) as pct_recovered_masked,
    round(m.pct_recovered_unmasked, 1) as pct_recovered_unmasked,
    round(m.pct_dead, 1) as pct_dead,
    m.n_proteins
from sae_metrics as m
inner join saes as s on m.sae = s.sae
order by m.evaluated_on, m.l0, m.sae
