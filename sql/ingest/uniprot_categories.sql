-- output: uniprot_categories
-- grain:  category
-- inputs: none
-- params: none
-- what:   The feature columns of a UniProtKB export: the name in its header, the key in its text, the level
--         of the concepts, and whether the category is one concept as a whole or is split by subtype.
select
    c.category,
    c.column_name,
    c.key,
    c.level,
    c.is_whole
from (
    values
    ('Active site', 'Active site', 'ACT_SITE', 'residue', false),
    ('Beta strand', 'Beta strand', 'STRAND', 'domain', true),
    ('Binding site', 'Binding site', 'BINDING', 'domain', false),
    ('Coiled coil', 'Coiled coil', 'COILED', 'domain', true),
    ('Compositional bias', 'Compositional bias', 'COMPBIAS', 'domain', false),
    ('Disulfide bond', 'Disulfide bond', 'DISULFID', 'residue', true),
    ('Domain', 'Domain [FT]', 'DOMAIN', 'domain', false),
    ('Glycosylation', 'Glycosylation', 'CARBOHYD', 'residue', false),
    ('Helix', 'Helix', 'HELIX', 'domain', true),
    ('Lipidation', 'Lipidation', 'LIPID', 'domain', true),
    ('Modified residue', 'Modified residue', 'MOD_RES', 'residue', false),
    ('Motif', 'Motif', 'MOTIF', 'domain', false),
    ('Region', 'Region', 'REGION', 'domain', false),
    ('Signal peptide', 'Signal peptide', 'SIGNAL', 'domain', false),
    ('Transit peptide', 'Transit peptide', 'TRANSIT', 'domain', false),
    ('Turn', 'Turn', 'TURN', 'domain', true),
    ('Zinc finger', 'Zinc finger', 'ZN_FING', 'domain', false)
) as c (category, column_name, key, level, is_whole)
