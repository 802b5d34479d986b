-- output: features that fire together
-- grain:  feature, other_feature
-- inputs: protein_features
-- params: none
-- what:   Which features are present on the same proteins?
select
    a.feature,
    b.feature as other_feature,
    count(*) as n_proteins
from protein_features as a
inner join protein_features as b on a.sae = b.sae and a.protein_id = b.protein_id and a.feature < b.feature
where a.sae = 'demo-sae' and a.activation > 0.8 and b.activation > 0.8
group by a.feature, b.feature
order by n_proteins desc, a.feature, b.feature
limit 10
