-- output: variant_tracks
-- grain:  feature, position
-- inputs: activations, features, proteins, variant_changes, variants
-- params: $wanted_sae VARCHAR            SAE
--         $wanted_accession VARCHAR      protein
--         $wanted_features INTEGER[]     features
--         $most INTEGER = 50000          rows at most
-- what:   Features along a protein and what its variants do to them: the normalised activation of the wild
--         type, and what variants add and take away on each residue, summed over variants and divided by
--         their number. Where the protein was not encoded, a residue that no variant changes is left out.
with
wanted as (
    select p.protein_id, p.length
    from proteins as p
    where p.accession = $wanted_accession
),

made as (
    select count(*) as n_variants
    from variants as v
    where v.sae = $wanted_sae and v.accession = $wanted_accession
),

changes as (
    select
        c.feature,
        c.position,
        max(c.wild_type_value) as wild_type_value,
        sum(greatest(c.mutant_value - c.wild_type_value, 0)::double) as gain,
        sum(least(c.mutant_value - c.wild_type_value, 0)::double) as loss,
        count(*) as n_variants
    from variant_changes as c
    where
        c.sae = $wanted_sae
        and c.protein_id = (select w.protein_id from wanted as w)
        and list_contains($wanted_features, c.feature)
    group by c.feature, c.position
),

encoded as (
    select
        a.feature,
        a.position,
        a.value
    from activations as a
    where
        a.sae = $wanted_sae
        and a.protein_id = (select w.protein_id from wanted as w)
        and list_contains($wanted_features, a.feature)
)

select
    f.feature,
    coalesce(c.position, e.position) as position,
    (coalesce(e.value, c.wild_type_value, 0) / f.max_activation)::float as wild_type_activation,
    (coalesce(c.gain, 0) / f.max_activation / m.n_variants)::float as mean_gain,
    (coalesce(c.loss, 0) / f.max_activation / m.n_variants)::float as mean_loss,
    coalesce(c.n_variants, 0::bigint) as n_variants
from changes as c
full outer join encoded as e on c.feature = e.feature and c.position = e.position
inner join features as f on f.sae = $wanted_sae and f.feature = coalesce(c.feature, e.feature)
cross join made as m
where f.max_activation > 0 and m.n_variants > 0
order by f.feature, position
limit $most
