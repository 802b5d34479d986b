-- output: older_words
-- grain:  sae, source
-- inputs: features, interpretations
-- params: none
-- what:   The features whose words were made, and scored, when their scale was another: the activations that
--         the words were made from, and that are scored by, are no longer those of the tables.
select
    i.sae,
    i.source,
    list(i.feature order by i.feature asc) as features
from interpretations as i
inner join features as f on i.sae = f.sae and i.feature = f.feature
where i.max_activation <> f.max_activation
group by i.sae, i.source
order by i.sae, i.source
