-- output: matrix_sizes
-- grain:  step
-- inputs: protein_features, matrix_rows
-- params: $sae VARCHAR  name of the SAE
-- what:   How many values each feature has on the proteins of a matrix.
select
    v.feature as step,
    count(*) as n_values
from protein_features as v
inner join matrix_rows as m on v.protein_id = m.protein_id
where v.sae = $sae
group by v.feature
order by v.feature
