-- output: feature_neighbours
-- grain:  rank
-- inputs: decoder_neighbours, feature_stats, feature_meanings
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   The features that the SAE writes in nearly the direction of a feature, the nearest first: the
--         cosine of their decoder columns, what each finds on held-out proteins, and how common it is.
select
    d.rank,
    d.neighbour as feature,
    d.cosine,
    m.concept,
    m.test_f1_per_domain,
    s.pct_proteins
from decoder_neighbours as d
left join feature_meanings as m on d.sae = m.sae and d.neighbour = m.feature
left join feature_stats as s on d.sae = s.sae and d.neighbour = s.feature
where d.sae = $wanted_sae and d.feature = $wanted_feature
order by d.rank
