-- output: open_places
-- grain:  feature, protein_id
-- inputs: chosen_examples, example_places
-- params: $side VARCHAR  shown or scored
-- what:   The proteins of one side from which examples are drawn, less the relatives of those that are chosen
--         already: of one cluster, or of one sequence.
select
    p.feature,
    p.protein_id,
    p.side,
    p.family,
    p.name,
    p.sequence,
    p.position,
    p.activation,
    p.bin,
    p.draw
from example_places as p
where
    p.side = $side
    and not exists (
        select 1 from chosen_examples as c
        where c.feature = p.feature and c.family = p.family
    )
    and not exists (
        select 1 from chosen_examples as c
        where c.feature = p.feature and c.sequence = p.sequence
    )
