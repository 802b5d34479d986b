-- output: best_words
-- grain:  feature
-- inputs: chosen_examples
-- params: none
-- what:   The word of proteins' names that tells those where a feature is strong from the others that are
--         shown: three carry it or more, and its correlation with the highest activation is the highest.
with
shown as (
    select feature, protein_id, name, activation
    from chosen_examples
    where side = 'shown'
),

words as (
    select distinct
        feature,
        protein_id,
        activation,
        unnest(regexp_extract_all(lower(name), '[a-z][a-z0-9-]{3,29}')) as word
    from shown
),

sums as (
    select
        feature,
        count(*) as n,
        sum(activation::decimal(18, 9))::double as total,
        sum((activation * activation)::decimal(18, 9))::double as squares
    from shown
    group by feature
),

carried as (
    select feature, word, count(*) as n_carrying, sum(activation::decimal(18, 9))::double as total
    from words
    group by feature, word
    having count(*) >= 3
),

-- Pearson's r of carrying the word (0 or 1) with the activation, from sums.
weighed as (
    select
        c.feature,
        c.word,
        c.n_carrying,
        s.n,
        (s.n * c.total - c.n_carrying * s.total)
        / nullif(
            sqrt(c.n_carrying * (s.n - c.n_carrying)::double)
            * sqrt(greatest(s.n * s.squares - s.total * s.total, 0)),
            0
        ) as r
    from carried as c
    inner join sums as s on c.feature = s.feature
)

select feature, word, n_carrying, r
from weighed
where r > 0
qualify row_number() over (partition by feature order by r desc, word asc) = 1
