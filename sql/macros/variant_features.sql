-- output: variant_features
-- grain:  feature
-- inputs: feature_meanings, features, proteins, variant_changes, variants
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
--         $k INTEGER = 5000          number of features
-- what:   The features that the variants of a protein change, those that change most first, each with the
--         concept that it finds best on held-out proteins. total_change and mean_change are over all variants
--         and residues, without and with the sign; n_variants counts those that change it; gain and loss are
--         the largest change of one residue up and down, with the variant that makes it.
with
wanted as (
    select count(*) as n_variants
    from variants as v
    where v.sae = $wanted_sae and v.accession = $wanted_accession
),

changes as (
    select
        c.variant,
        c.feature,
        c.position,
        ((c.mutant_value - c.wild_type_value) / nullif(f.max_activation, 0))::float as change
    from variant_changes as c
    inner join features as f on c.sae = f.sae and c.feature = f.feature
    where
        c.sae = $wanted_sae
        and c.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
),

by_feature as (
    select
        feature,
        count(distinct variant) as n_variants,
        sum(abs(change::double)) as total_change,
        sum(change::double) as sum_change,
        max(struct_pack(change := change, variant := variant, position := position)) as gain,
        min(struct_pack(change := change, variant := variant, position := position)) as loss
    from changes
    where change is not null
    group by feature
)

select
    row_number() over (order by b.total_change desc, b.feature asc)::integer as rank,
    b.feature,
    m.concept,
    b.n_variants,
    b.total_change,
    b.sum_change / w.n_variants as mean_change,
    greatest(b.gain.change, 0::float) as gain,
    case when b.gain.change > 0 then b.gain.variant end as gain_variant,
    case when b.gain.change > 0 then b.gain.position end as gain_position,
    least(b.loss.change, 0::float) as loss,
    case when b.loss.change < 0 then b.loss.variant end as loss_variant,
    case when b.loss.change < 0 then b.loss.position end as loss_position
from by_feature as b
cross join wanted as w
left join feature_meanings as m on m.sae = $wanted_sae and b.feature = m.feature and not m.is_amino_acid
order by rank
limit $k
