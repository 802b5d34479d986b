-- output: variant_ranking
-- grain:  variant
-- inputs: features, proteins, variant_changes, variants
-- params: $wanted_sae VARCHAR                SAE
--         $wanted_accession VARCHAR          protein
--         $wanted_features INTEGER[] = []    features that count; all of them where none is named
--         $k INTEGER = 1000000               number of variants
-- what:   The variants of a protein, those that change most first. total_change is the sum of changes of
--         normalised activation, without their signs, over features and residues; site_change is that at the
--         mutated positions alone; feature is the one that changes most, feature_change the sum of its
--         changes with their signs. A variant without a change above the floor has 0.
with
wanted as (
    select
        v.sae,
        v.protein_id,
        v.variant,
        v.n_mutations,
        v.position,
        v.wild_type,
        v.mutant
    from variants as v
    where v.sae = $wanted_sae and v.accession = $wanted_accession
),

changes as (
    select
        c.variant,
        c.feature,
        c.position,
        ((c.mutant_value - c.wild_type_value) / nullif(f.max_activation, 0))::float::double as change
    from variant_changes as c
    inner join features as f on c.sae = f.sae and c.feature = f.feature
    where
        c.sae = $wanted_sae
        and c.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
        and (len($wanted_features) = 0 or list_contains($wanted_features, c.feature))
),

sites as (
    select
        w.variant,
        unnest(regexp_extract_all(w.variant, '\d+'))::integer as position
    from wanted as w
),

by_residue as (
    select
        variant,
        position,
        sum(abs(change)) as change
    from changes
    group by variant, position
),

by_variant as (
    select
        r.variant,
        sum(r.change) as total_change,
        sum(r.change) filter (where s.position is not null) as site_change,
        count(*) as n_residues
    from by_residue as r
    left join sites as s on r.variant = s.variant and r.position = s.position
    where r.change > 0
    group by r.variant
),

by_feature as (
    select
        variant,
        feature,
        sum(abs(change)) as total,
        sum(change) as change
    from changes
    where change is not null and change <> 0
    group by variant, feature
),

largest as (
    select
        variant,
        feature,
        change,
        count(*) over (partition by variant) as n_features
    from by_feature
    qualify row_number() over (partition by variant order by total desc, feature asc) = 1
)

select
    row_number() over (order by b.total_change desc nulls last, w.variant asc)::integer as rank,
    w.variant,
    w.n_mutations,
    w.position,
    w.wild_type,
    w.mutant,
    coalesce(b.total_change, 0::double) as total_change,
    coalesce(b.site_change, 0::double) as site_change,
    coalesce(l.n_features, 0::bigint) as n_features,
    coalesce(b.n_residues, 0::bigint) as n_residues,
    l.feature,
    l.change as feature_change
from wanted as w
left join by_variant as b on w.variant = b.variant
left join largest as l on w.variant = l.variant
order by rank
limit $k
