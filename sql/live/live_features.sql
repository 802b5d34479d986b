-- output: live_features
-- grain:  sequence, feature
-- inputs: live_activations, features, feature_meanings, feature_stats
-- params: $sae VARCHAR  SAE
-- what:   The features of sequences that were encoded just now, the strongest first: where, on how many
--         residues, the concept that each finds best on held-out proteins, and how common it is in the
--         warehouse.
with
meanings as (
    select
        c.feature,
        c.concept,
        c.test_f1_per_domain
    from feature_meanings as c
    where c.sae = $sae and not c.is_amino_acid
),

active as (
    select
        l.sequence,
        l.feature,
        l.position,
        (l.value / nullif(f.max_activation, 0))::float as activation
    from live_activations as l
    inner join features as f on l.feature = f.feature
    where f.sae = $sae
),

highest as (
    select
        sequence,
        feature,
        max(activation) as activation,
        count(*) as n_residues
    from active
    where activation is not null
    group by sequence, feature
),

places as (
    select
        a.sequence,
        a.feature,
        min(a.position) as position
    from active as a
    inner join
        highest as h
        on a.sequence = h.sequence and a.feature = h.feature and a.activation = h.activation
    group by a.sequence, a.feature
)

select
    h.sequence,
    h.feature,
    h.activation,
    p.position,
    h.n_residues,
    m.concept,
    m.test_f1_per_domain,
    s.pct_proteins
from highest as h
inner join places as p on h.sequence = p.sequence and h.feature = p.feature
left join meanings as m on h.feature = m.feature
left join feature_stats as s on h.feature = s.feature and s.sae = $sae
order by h.sequence, h.activation desc, h.feature
