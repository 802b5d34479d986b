-- output: suggestion_concepts
-- grain:  concept
-- inputs: suggestion_counts, suggestions
-- params: $sae VARCHAR  SAE
-- what:   The concepts that may be missing somewhere, with what became of the stretches of their features and
--         the best score; best first.
with
best as (
    select concept, max(score) as score
    from suggestions
    where sae = $sae
    group by concept
)

select
    c.concept,
    c.n_pairs,
    c.n_stretches,
    c.n_annotated,
    c.n_explained,
    c.n_leading,
    b.score
from suggestion_counts as c
left join best as b on c.concept = b.concept
where c.sae = $sae
order by b.score desc nulls last, c.concept asc
