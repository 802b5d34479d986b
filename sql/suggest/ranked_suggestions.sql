-- output: ranked_suggestions
-- grain:  concept_id, rank
-- inputs: agreeing_features, concepts, judged_stretches, proteins, relatives, typical_lengths
-- params: none
-- what:   Suggestions in the order of their score: the pair's precision on held-out proteins, times a quarter
--         of 1 + its extent + the share of the concept's other features that agree + the share of relatives
--         that carry it. A share of nothing counts as 0.
with
measured as (
    select
        c.concept_id,
        c.concept,
        j.feature,
        j.threshold,
        j.protein_id,
        p.accession,
        p.split,
        p.is_private,
        j.start,
        j.stop,
        j.n_firing,
        j.max_activation,
        (j.stop - j.start + 1) / t.n_residues as relative_length,
        j.precision,
        j.extent,
        a.n_features - 1 as n_others,
        a.n_agreeing,
        coalesce(r.n_relatives, 0) as n_relatives,
        coalesce(r.n_carrying, 0) as n_carrying,
        j.precision * (
            1 + j.extent + coalesce(a.n_agreeing / nullif(a.n_features - 1, 0)::double, 0)
            + coalesce(r.n_carrying / nullif(r.n_relatives, 0)::double, 0)
        ) / 4 as score
    from judged_stretches as j
    inner join concepts as c on j.concept_id = c.concept_id
    inner join proteins as p on j.protein_id = p.protein_id
    inner join agreeing_features as a
        on
            j.concept_id = a.concept_id and j.feature = a.feature
            and j.protein_id = a.protein_id and j.start = a.start
    left join relatives as r on j.concept_id = r.concept_id and j.protein_id = r.protein_id
    left join typical_lengths as t on j.concept_id = t.concept_id
    where j.outcome = 'suggested'
)

select
    *,
    row_number() over (
        partition by concept_id
        order by score desc, max_activation desc, accession asc, start asc, stop asc, feature asc
    )::integer as rank
from measured
