-- output: preferred_letters
-- grain:  feature, rank
-- inputs: chosen_examples, example_residues
-- params: none
-- what:   Up to three amino acids that a feature prefers on the proteins that are shown: on five residues or
--         more, and 1.5 times as often as in the sequences of those proteins.
with
present as (
    select feature, amino_acid, count(*) as n_residues
    from example_residues
    group by feature, amino_acid
),

looked_at as (
    select distinct c.feature, c.protein_id, c.sequence
    from chosen_examples as c
    semi join example_residues as r on c.feature = r.feature and c.protein_id = r.protein_id
),

letters as (
    select feature, unnest(string_split(sequence, '')) as amino_acid
    from looked_at
),

counted as (
    select feature, amino_acid, count(*) as n_letters
    from letters
    group by feature, amino_acid
),

background as (
    select feature, amino_acid, n_letters / sum(n_letters) over (partition by feature)::double as share
    from counted
),

enriched as (
    select
        p.feature,
        p.amino_acid,
        p.n_residues,
        (p.n_residues / sum(p.n_residues) over (partition by p.feature)::double)
        / b.share as enrichment
    from present as p
    inner join background as b on p.feature = b.feature and p.amino_acid = b.amino_acid
)

select
    feature,
    row_number() over (partition by feature order by enrichment desc, amino_acid asc)::integer as rank,
    amino_acid,
    n_residues,
    enrichment
from enriched
where n_residues >= 5 and enrichment >= 1.5
qualify row_number() over (partition by feature order by enrichment desc, amino_acid asc) <= 3
