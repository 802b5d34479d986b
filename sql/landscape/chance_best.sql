-- output: chance_best
-- grain:  draw, is_other, feature
-- inputs: crossed_pairs
-- params: $draw INTEGER  draw of chance
-- what:   The highest correlation that each feature of either SAE has in a draw of chance.
select
    $draw as draw,
    false as is_other,
    feature,
    max(value) as value
from crossed_pairs
group by feature
union all
select
    $draw as draw,
    true as is_other,
    other_feature as feature,
    max(value) as value
from crossed_pairs
group by other_feature
