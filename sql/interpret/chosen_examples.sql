-- output: chosen_examples
-- grain:  feature, protein_id
-- inputs: example_places
-- params: none
-- what:   The examples that are chosen so far: none, before the first are drawn.
select
    feature,
    protein_id,
    side,
    family,
    name,
    sequence,
    position,
    activation,
    bin,
    ''::varchar as kind,
    draw
from example_places
where false
