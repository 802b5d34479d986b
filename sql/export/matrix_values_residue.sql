-- output: matrix_values
-- grain:  residue, feature
-- inputs: activations, features, matrix_rows
-- params: $sae VARCHAR  name of the SAE
--         $first INTEGER  number of the first protein within the matrix
--         $last INTEGER  number of the last
--         $first_protein INTEGER  protein_id of the first
--         $last_protein INTEGER  protein_id of the last
-- what:   The normalised activations on the residues of some proteins of a matrix.
select
    m.first_row + a.position - 1 as major,
    a.feature as minor,
    (a.value / f.max_activation)::float as activation
from activations as a
inner join features as f on a.sae = f.sae and a.feature = f.feature and f.max_activation > 0
inner join matrix_rows as m on a.protein_id = m.protein_id
where
    a.sae = $sae
    and a.protein_id between $first_protein and $last_protein
    and m.row_number between $first and $last
order by m.first_row + a.position, a.feature
