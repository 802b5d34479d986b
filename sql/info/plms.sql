-- output: plms
-- grain:  plm
-- inputs: plms
-- params: none
-- what:   Each protein language model.
select
    plm,
    source,
    revision,
    d_model,
    n_layers,
    "window",
    shuffled_from
from plms
order by plm
