-- output: feature_bins
-- grain:  bin_low, bin_high, rank
-- inputs: quantile_examples, proteins
-- params: $wanted_sae VARCHAR      SAE
--         $wanted_feature INTEGER  feature, 0-based
-- what:   Proteins drawn from each range of a feature's highest activation, the highest range first, and
--         proteins without the feature last.
select
    q.bin_low,
    q.bin_high,
    q.rank,
    q.accession,
    p.name,
    q.activation,
    p.length
from quantile_examples as q
inner join proteins as p on q.accession = p.accession
where q.sae = $wanted_sae and q.feature = $wanted_feature
order by q.bin_low desc, q.bin_high desc, q.rank asc
