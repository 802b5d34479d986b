-- output: matrix_values
-- grain:  feature, row_number
-- inputs: protein_features, matrix_rows
-- params: $sae VARCHAR  name of the SAE
--         $first INTEGER  first feature
--         $last INTEGER  last feature
-- what:   The highest normalised activation of some features on the proteins of a matrix.
select
    v.feature as major,
    m.row_number as minor,
    v.activation
from protein_features as v
inner join matrix_rows as m on v.protein_id = m.protein_id
where v.sae = $sae and v.feature between $first and $last
order by v.feature, m.row_number
