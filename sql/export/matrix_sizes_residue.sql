-- output: matrix_sizes
-- grain:  step
-- inputs: encodings, matrix_rows
-- params: $sae VARCHAR  name of the SAE
-- what:   How many values each protein of a matrix has at most.
select
    m.row_number as step,
    e.n_activations as n_values
from encodings as e
inner join matrix_rows as m on e.protein_id = m.protein_id
where e.sae = $sae
order by m.row_number
