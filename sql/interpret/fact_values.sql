-- output: fact_values
-- grain:  feature, protein_id, fact
-- inputs: best_concepts, best_words, carriers, chosen_examples, preferred_letters
-- params: none
-- what:   What each fact that is told of a feature says of each example, as a number: whether it carries the
--         concept or the word, and which share of it is of the preferred amino acids.
with
concept_values as (
    select
        e.feature,
        e.protein_id,
        'concept' as fact,
        (c.protein_id is not null)::integer::double as value
    from chosen_examples as e
    inner join best_concepts as b on e.feature = b.feature
    left join carriers as c on b.concept_id = c.concept_id and e.protein_id = c.protein_id
),

word_values as (
    select
        e.feature,
        e.protein_id,
        'word' as fact,
        list_contains(
            regexp_extract_all(lower(coalesce(e.name, '')), '[a-z][a-z0-9-]{3,29}'), b.word
        )::integer::double as value
    from chosen_examples as e
    inner join best_words as b on e.feature = b.feature
),

letter_values as (
    select
        e.feature,
        e.protein_id,
        'letters' as fact,
        sum(len(e.sequence) - len(replace(e.sequence, l.amino_acid, '')))::bigint
        / max(len(e.sequence))::double as value
    from chosen_examples as e
    inner join preferred_letters as l on e.feature = l.feature
    group by e.feature, e.protein_id
)

select feature, protein_id, fact, value from concept_values
union all
select feature, protein_id, fact, value from word_values
union all
select feature, protein_id, fact, value from letter_values
