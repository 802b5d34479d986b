-- output: matched_errors
-- grain:  feature, other_feature
-- inputs: matched_pairs, matched_sums, sampled_residues, level_sums
-- params: $min_proteins INTEGER  proteins with either feature, below which no error is stated
-- what:   How far a correlation may be off, from its spread between proteins: a residue with the
--         standardised levels x and y pulls it by u = x * y - value * (x * x + y * y) / 2; with the sums U of
--         u over each of P proteins, the standard error of N residues is sqrt(P / (P - 1) * sum(U * U)) / N.
with
proteins as (
    select protein_id, count(*) as n
    from sampled_residues
    group by protein_id
),

sample as (
    select
        sum(n)::double as n,
        sum(n * n)::double as n_squared,
        count(*) as n_proteins
    from proteins
),

moments as (
    select
        l.is_other,
        l.feature,
        l.total / s.n as mean,
        sqrt(l.squares / s.n - (l.total / s.n) ** 2) as deviation
    from level_sums as l
    cross join sample as s
    where l.draw = 0
),

pulls as (
    select
        s.feature,
        s.other_feature,
        s.protein_id,
        p.n,
        (s.xy - f.mean * s.y - o.mean * s.x + p.n * f.mean * o.mean) / (f.deviation * o.deviation)
        - m.value / 2 * (
            (s.xx - 2 * f.mean * s.x + p.n * f.mean ** 2) / f.deviation ** 2
            + (s.yy - 2 * o.mean * s.y + p.n * o.mean ** 2) / o.deviation ** 2
        ) as pull,
        f.mean * o.mean / (f.deviation * o.deviation)
        - m.value / 2 * ((f.mean / f.deviation) ** 2 + (o.mean / o.deviation) ** 2) as pull_of_zeros
    from matched_sums as s
    inner join proteins as p on s.protein_id = p.protein_id
    inner join matched_pairs as m on s.feature = m.feature and s.other_feature = m.other_feature
    inner join moments as f on s.feature = f.feature and not f.is_other
    inner join moments as o on s.other_feature = o.feature and o.is_other
),

squared as (
    select
        feature,
        other_feature,
        count(*) as n_proteins,
        sum(pull ** 2 order by protein_id) as pulls,
        max(pull_of_zeros) ** 2 * sum(n * n)::double as pulls_of_zeros,
        max(pull_of_zeros) as pull_of_zeros
    from pulls
    group by feature, other_feature
)

select
    q.feature,
    q.other_feature,
    case
        when q.n_proteins >= $min_proteins
            then
                sqrt(
                    s.n_proteins / (s.n_proteins - 1)::double
                    * (q.pulls + greatest(s.n_squared * q.pull_of_zeros ** 2 - q.pulls_of_zeros, 0))
                ) / s.n
    end as standard_error
from squared as q
cross join sample as s
