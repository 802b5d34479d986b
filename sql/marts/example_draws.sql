-- output: example_draws
-- grain:  sae, feature, protein_id
-- inputs: encodings, features, proteins
-- params: none
-- what:   The order in which encoded proteins are drawn as examples of a feature: the lowest number first,
--         the same on every engine, ties by accession.
with
ordered as (
    select protein_id, sample_key, row_number() over (order by accession asc) as place
    from proteins
),

keyed as (
    select
        f.sae,
        f.feature,
        p.protein_id,
        p.place,
        p.sample_key,
        (p.sample_key + f.feature * 1103515245::bigint) % 2147483647 as x
    from features as f
    inner join encodings as e on f.sae = e.sae
    inner join ordered as p on e.protein_id = p.protein_id
)

select
    sae,
    feature,
    protein_id,
    ((x * x + sample_key) % 2147483647) * 2147483648 + place as draw
from keyed
