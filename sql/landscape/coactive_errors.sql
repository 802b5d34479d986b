-- output: coactive_errors
-- grain:  feature, other_feature
-- inputs: coactive_pairs, sampled_activations, sampled_residues
-- params: $min_proteins INTEGER  proteins with either feature, below which no error is stated
-- what:   How far the share of residues with both features may be off, from its spread between proteins:
--         the standard error of a ratio of sums over n proteins, b of e with residual d = b - value * e, is
--         sqrt(n / (n - 1) * sum(d * d)) / sum(e). Where only the other feature is, d is -value * e.
with
sample as (
    select count(distinct protein_id) as n_proteins
    from sampled_residues
),

active as (
    select feature, protein_id, count(*) as n_residues
    from sampled_activations
    group by feature, protein_id
),

whole as (
    select
        feature,
        sum(n_residues)::bigint as n_residues,
        sum(n_residues * n_residues)::bigint as n_squared,
        count(*) as n_proteins
    from active
    group by feature
),

together as (
    select c.feature, c.other_feature, a.protein_id, count(*) as n_both
    from coactive_pairs as c
    inner join sampled_activations as a on c.feature = a.feature
    inner join sampled_activations as b on a.residue = b.residue and c.other_feature = b.feature
    group by c.feature, c.other_feature, a.protein_id
),

-- Of each pair, the sums over proteins that have the first feature: b, a and o residues have both, the first
-- and the other.
summed as (
    select
        c.feature,
        c.other_feature,
        c.value,
        c.n_both,
        sum(b.n_both * b.n_both)::double as bb,
        sum(b.n_both * (a.n_residues + coalesce(o.n_residues, 0) - b.n_both))::double as be,
        sum(pow(a.n_residues + coalesce(o.n_residues, 0) - coalesce(b.n_both, 0), 2)) as ee,
        coalesce(sum(o.n_residues * o.n_residues), 0)::double as oo,
        count(o.n_residues) as n_shared
    from coactive_pairs as c
    inner join active as a on c.feature = a.feature
    left join active as o on c.other_feature = o.feature and a.protein_id = o.protein_id
    left join together as b
        on c.feature = b.feature and c.other_feature = b.other_feature and a.protein_id = b.protein_id
    group by c.feature, c.other_feature, c.value, c.n_both
)

select
    s.feature,
    s.other_feature,
    case
        when f.n_proteins + o.n_proteins - s.n_shared >= $min_proteins
            then
                sqrt(
                    n.n_proteins / (n.n_proteins - 1)::double
                    * greatest(s.bb - 2 * s.value * s.be + s.value ** 2 * (s.ee + o.n_squared - s.oo), 0)
                )
                / (f.n_residues + o.n_residues - s.n_both)
    end as standard_error
from summed as s
cross join sample as n
inner join whole as f on s.feature = f.feature
inner join whole as o on s.other_feature = o.feature
