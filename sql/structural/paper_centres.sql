-- output: paper_centres
-- grain:  feature, protein_id
-- inputs: fired_maxima, proteins
-- params: $paper_presence DOUBLE    strict lower bound on normalised activation, 0.6 in the paper
--         $paper_proteins INTEGER   proteins at most
-- what:   The residues around which the paper compares each feature: a protein's maximum, where the structure
--         shows it, on proteins that are drawn as examples are (example_draws).
with
keyed as (
    select
        m.feature,
        m.protein_id,
        m.position,
        p.accession,
        p.sample_key,
        (p.sample_key + m.feature * 1103515245::bigint) % 2147483647 as x
    from fired_maxima as m
    inner join proteins as p on m.protein_id = p.protein_id
    where m.is_placed and m.activation > $paper_presence::float
)

select
    feature,
    protein_id,
    position
from keyed
qualify
    row_number() over (
        partition by feature
        order by (x * x + sample_key) % 2147483647 asc, accession asc
    ) <= $paper_proteins
