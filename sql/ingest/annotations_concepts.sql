-- output: concept_names
-- grain:  given_concept
-- inputs: annotation_spans, concepts
-- params: $source VARCHAR   name of the source
-- what:   Concepts of a source with their keys. A concept keeps the key and name that it had; a new one takes
--         the next key, and where another source has its name it is called source:concept.
with
given as (
    select
        concept,
        any_value(category) as category,
        any_value(level) as level
    from annotation_spans
    group by concept
),

own as (
    select *
    from concepts
    where source = $source
),

matched as (
    select
        g.concept as given_concept,
        g.category,
        g.level,
        coalesce(qualified.concept_id, plain.concept_id) as known_id,
        case
            when qualified.concept_id is not null then qualified.concept
            when plain.concept_id is not null or other.concept_id is null then g.concept
            else $source || ':' || g.concept
        end as concept
    from given as g
    left join own as qualified on $source || ':' || g.concept = qualified.concept
    left join own as plain on g.concept = plain.concept
    left join concepts as other on g.concept = other.concept and other.source <> $source
),

counted as (
    select
        *,
        row_number() over (partition by known_id is null order by concept) as place
    from matched
)

select
    given_concept,
    concept,
    category,
    level,
    known_id is null as is_new,
    coalesce(known_id, (select coalesce(max(concept_id), -1) from concepts) + place)::integer as concept_id
from counted
