-- output: drawn_examples
-- grain:  feature, protein_id
-- inputs: open_places
-- params: none
-- what:   Two proteins of each bin of a feature's highest activation, ten of the highest bin, and ten
--         without the feature. Source: InterPLM (Simon and Zou, Nature Methods 2025, methods).
select
    feature,
    protein_id,
    side,
    family,
    name,
    sequence,
    position,
    activation,
    bin,
    case when bin > 0 then 'active' else 'absent' end as kind,
    draw
from open_places
qualify
    row_number() over (partition by feature, bin order by draw asc)
    <= case when bin in (0, 10) then 10 else 2 end
