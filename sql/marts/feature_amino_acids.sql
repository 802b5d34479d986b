-- output: feature_amino_acids
-- grain:  sae, feature, amino_acid
-- inputs: encodings, feature_amino_acids_partial, residues
-- params: $sae VARCHAR  SAE
-- what:   How often a feature is present on one letter, and how much more often than chance.
with
letters as (
    select r.amino_acid, count(*) as n_residues
    from residues as r
    inner join encodings as e on r.protein_id = e.protein_id
    where e.sae = $sae
    group by r.amino_acid
),

present as (
    select feature, amino_acid, sum(n_residues)::bigint as n_residues
    from feature_amino_acids_partial
    where sae = $sae
    group by feature, amino_acid
),

totals as (
    select feature, sum(n_residues)::bigint as n_residues
    from present
    group by feature
),

everything as (
    select sum(n_residues)::bigint as n_residues
    from letters
)

select
    $sae as sae,
    p.feature,
    p.amino_acid,
    p.n_residues,
    (p.n_residues / t.n_residues::double) / (l.n_residues / e.n_residues::double) as enrichment
from present as p
inner join totals as t on p.feature = t.feature
inner join letters as l on p.amino_acid = l.amino_acid
cross join everything as e
