-- output: live_neighbours
-- grain:  accession
-- inputs: live_features, protein_features, proteins
-- params: $sae VARCHAR       SAE
--         $sequence VARCHAR  name of the sequence
--         $k INTEGER         number of proteins
-- what:   Proteins of the warehouse that share most features with a sequence that was encoded just now:
--         over its 100 strongest features, the sum of the lower of both activations, as a share of the
--         sum of the sequence's own.
with
mine as (
    select
        l.feature,
        l.activation
    from live_features as l
    where l.sequence = $sequence
    order by l.activation desc, l.feature asc
    limit 100
),

shared as (
    select
        f.protein_id,
        sum(least(f.activation, m.activation)) as overlap,
        count(*) as n_shared
    from protein_features as f
    inner join mine as m on f.feature = m.feature
    where f.sae = $sae and f.feature in (select n.feature from mine as n)
    group by f.protein_id
)

select
    p.accession,
    p.name,
    100 * s.overlap / (select sum(m.activation) from mine as m) as pct_shared,
    s.n_shared,
    p.length
from shared as s
inner join proteins as p on s.protein_id = p.protein_id
order by s.overlap desc, p.accession asc
limit $k
