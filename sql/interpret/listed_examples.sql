-- output: listed_examples
-- grain:  feature, accession
-- inputs: chosen_examples, eligible_proteins, example_residues
-- params: $most INTEGER  residues that are named of each protein
-- what:   The chosen examples with what is told of them: the strongest residues in order of position. The
--         strongest proteins first where they are shown; those that are scored in the order of names.
with
strongest as (
    select feature, protein_id, position, amino_acid, activation
    from example_residues
    qualify
        row_number() over (partition by feature, protein_id order by activation desc, position asc) <= $most
),

named as (
    select
        feature,
        protein_id,
        string_agg(
            amino_acid || position::varchar || ' ' || printf('%.2f', activation), ', ' order by position asc
        ) as residues
    from strongest
    group by feature, protein_id
)

select
    c.feature,
    p.accession,
    p.name,
    p.organism,
    p.sequence,
    p.length,
    c.side,
    c.kind,
    c.bin,
    c.activation,
    c.position,
    coalesce(n.residues, '') as residues
from chosen_examples as c
inner join eligible_proteins as p on c.protein_id = p.protein_id
left join named as n on c.feature = n.feature and c.protein_id = n.protein_id
order by
    c.feature,
    c.side desc,
    case when c.side = 'shown' then c.activation end desc,
    md5(p.accession),
    p.accession
