-- output: evaluations
-- grain:  sae, evaluated_on
-- inputs: sae_metrics
-- params: none
-- what:   What each SAE was evaluated on.
select
    sae,
    evaluated_on,
    n_proteins,
    n_residues,
    n_fidelity_proteins
from sae_metrics
order by sae, evaluated_on
