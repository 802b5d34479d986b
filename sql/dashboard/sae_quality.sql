-- output: sae_quality
-- grain:  sae
-- inputs: saes, sae_metrics
-- params: none
-- what:   Every SAE, with what was measured of it on the held-out proteins of test; controls last.
select
    s.sae,
    s.role,
    s.architecture,
    s.plm,
    s.layer,
    s.n_features,
    m.l0,
    m.variance_explained,
    m.pct_recovered_masked,
    m.pct_dead
from saes as s
left join sae_metrics as m on s.sae = m.sae and m.evaluated_on = 'test'
order by s.role = 'sae' desc, s.sae asc
