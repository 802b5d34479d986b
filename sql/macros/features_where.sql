-- output: features_where
-- grain:  feature
-- inputs: feature_stats, heldout_pairs, concepts
-- params: $wanted_sae VARCHAR             SAE
--         $meaning VARCHAR = 'any'        'any'; 'concept': finds a concept on held-out proteins; 'none'
--         $lowest DOUBLE = 0              least share of proteins with the feature, percent
--         $highest DOUBLE = 100           highest share of proteins with the feature, percent
-- what:   Features to look through: those that are ever present, by what they find and how common they
--         are. Amino acids are no concepts here.
with
found as (
    select distinct h.feature
    from heldout_pairs as h
    inner join concepts as c on h.concept = c.concept
    where h.sae = $wanted_sae and h.is_found and c.source != 'sequence'
)

select s.feature
from feature_stats as s
left join found as m on s.feature = m.feature
where
    s.sae = $wanted_sae
    and s.n_proteins > 0
    and s.pct_proteins >= $lowest
    and s.pct_proteins <= $highest
    and $meaning in ('any', case when m.feature is null then 'none' else 'concept' end)
order by s.feature
