-- output: block_bins
-- grain:  place, feature
-- inputs: activations, block_proteins, features, threshold_cuts
-- params: $sae VARCHAR            SAE
--         $first_protein INTEGER  first protein of the block
--         $last_protein INTEGER   last protein of the block
-- what:   How many of the thresholds each activation of a block passes: each is compared once.
with
scaled as (
    select
        p.first_place + a.position as place,
        a.feature,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.feature = f.feature
    inner join block_proteins as p on a.protein_id = p.protein_id
    where
        a.sae = $sae
        and f.sae = $sae
        and f.max_activation > 0
        and a.protein_id between $first_protein and $last_protein
)

select
    s.place,
    s.feature,
    case
        when s.activation <= c.t1 then 0
        when s.activation <= c.t2 then 1
        when s.activation <= c.t3 then 2
        when s.activation <= c.t4 then 3
        when s.activation <= c.t5 then 4
        when s.activation <= c.t6 then 5
        when s.activation <= c.t7 then 6
        when s.activation <= c.t8 then 7
        when s.activation <= c.t9 then 8
        when s.activation <= c.t10 then 9
        else 10
    end as n_passed
from scaled as s
cross join threshold_cuts as c
