-- output: feature_windows
-- grain:  accession, position
-- inputs: activations, features, protein_features, proteins
-- params: $wanted_sae VARCHAR             SAE
--         $wanted_feature INTEGER         feature, 0-based
--         $wanted_accessions VARCHAR[]    proteins
--         $flank INTEGER = 30             residues on either side
--         $most INTEGER = 5000            residues at most, of all proteins together
-- what:   The residues around a feature's maximum on each of several proteins, those where it is not
--         active included, with the normalised activation. Proteins without the feature have no row, and many
--         proteins have fewer residues each.
with
centres as (
    select
        p.protein_id,
        p.accession,
        p.sequence,
        p.length,
        m.position as centre,
        greatest(0, least($flank, ($most // greatest(1, len($wanted_accessions)) - 1) // 2)) as reach
    from protein_features as m
    inner join proteins as p on m.protein_id = p.protein_id
    where
        m.sae = $wanted_sae
        and m.feature = $wanted_feature
        and list_contains($wanted_accessions, p.accession)
),

places as (
    select
        c.protein_id,
        c.accession,
        c.centre,
        c.sequence,
        unnest(range(greatest(1, c.centre - c.reach), least(c.length, c.centre + c.reach) + 1))::integer
            as position
    from centres as c
),

active as (
    select
        a.protein_id,
        a.position,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join proteins as p on a.protein_id = p.protein_id
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $wanted_sae
        and a.feature = $wanted_feature
        and list_contains($wanted_accessions, p.accession)  -- few, so that few row groups are read
)

select
    p.accession,
    p.position,
    p.position - p.centre as away,
    substr(p.sequence, p.position, 1) as amino_acid,
    coalesce(a.activation, 0::float) as activation
from places as p
left join active as a on p.protein_id = a.protein_id and p.position = a.position
order by p.accession, p.position
