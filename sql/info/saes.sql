-- output: saes
-- grain:  sae
-- inputs: saes, encodings
-- params: none
-- what:   Each SAE with how much it has encoded.
select
    s.sae,
    s.plm,
    s.layer,
    s.architecture,
    s.role,
    s.control_of,
    s.n_features,
    count(e.protein_id) as n_proteins,
    coalesce(sum(e.n_activations), 0)::bigint as n_activations,
    s.scale_source
from saes as s
left join encodings as e on s.sae = e.sae
group by s.sae, s.plm, s.layer, s.architecture, s.role, s.control_of, s.n_features, s.scale_source
order by s.sae
