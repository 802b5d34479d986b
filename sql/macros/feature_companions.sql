-- output: feature_companions
-- grain:  rank
-- inputs: activations, features, protein_features, feature_meanings
-- params: $wanted_sae VARCHAR       SAE
--         $wanted_feature INTEGER   feature, 0-based
--         $n_proteins INTEGER = 10  proteins that are looked at
--         $cut DOUBLE = 0.05        activation above which a feature counts
--         $k INTEGER = 10           number of companions
-- what:   Features that are active on the same residues, over the proteins where a feature is strongest:
--         n_both residues have both, pct_overlap is their share of the residues that have either. What a
--         companion does on other proteins is not looked at.
with
strongest as (
    select p.protein_id
    from protein_features as p
    where p.sae = $wanted_sae and p.feature = $wanted_feature
    order by p.activation desc, p.protein_id asc
    limit $n_proteins
),

active as materialized (
    select
        a.protein_id,
        a.position,
        a.feature
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $wanted_sae
        and a.protein_id in (select s.protein_id from strongest as s)
        and (a.value / nullif(f.max_activation, 0))::float > $cut::float
),

own as (
    select
        protein_id,
        position
    from active
    where feature = $wanted_feature
),

counted as (
    select
        a.feature,
        count(*) as n_residues,
        count(o.position) as n_both
    from active as a
    left join own as o on a.protein_id = o.protein_id and a.position = o.position
    where a.feature != $wanted_feature
    group by a.feature
),

judged as (
    select
        c.feature,
        c.n_both,
        c.n_residues,
        100.0 * c.n_both / (c.n_residues + (select count(*) from own) - c.n_both) as pct_overlap
    from counted as c
    where c.n_both > 0
)

select
    row_number() over (order by j.pct_overlap desc, j.feature asc)::integer as rank,
    j.feature,
    j.pct_overlap,
    j.n_both,
    j.n_residues,
    m.concept,
    m.test_f1_per_domain
from judged as j
left join feature_meanings as m on j.feature = m.feature and m.sae = $wanted_sae
order by j.pct_overlap desc, j.feature asc
limit $k
