-- output: variant_residues
-- grain:  feature, position
-- inputs: features, proteins, variant_changes
-- params: $wanted_sae VARCHAR        SAE
--         $wanted_accession VARCHAR  protein
--         $wanted_variant VARCHAR    variant, such as A12V
--         $most INTEGER = 50000      rows at most, the largest changes
-- what:   What one variant changes: each feature and residue whose normalised activation in the mutant is
--         another than in the wild type by more than the floor, the largest change first.
select
    c.feature,
    c.position,
    (c.wild_type_value / nullif(f.max_activation, 0))::float as wild_type_activation,
    (c.mutant_value / nullif(f.max_activation, 0))::float as mutant_activation,
    ((c.mutant_value - c.wild_type_value) / nullif(f.max_activation, 0))::float as change
from variant_changes as c
inner join features as f on c.sae = f.sae and c.feature = f.feature
where
    c.sae = $wanted_sae
    and c.protein_id = (select p.protein_id from proteins as p where p.accession = $wanted_accession)
    and c.variant = $wanted_variant
    and f.max_activation > 0
order by abs(change) desc, c.feature asc, c.position asc
limit $most
