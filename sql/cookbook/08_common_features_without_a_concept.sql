-- output: common features without a concept
-- grain:  feature
-- inputs: feature_stats, heldout_pairs
-- params: none
-- what:   Which features are common, yet find no known concept?
with h as (
    from heldout_pairs
    where is_found and sae = 'demo-sae'
)

select
    s.feature,
    s.pct_proteins,
    s.avg_pct_residues_when_present,
    s.mean_activation
from feature_stats as s
anti join h on s.feature = h.feature
where s.sae = 'demo-sae' and s.n_residues > 0
order by s.pct_proteins desc, s.feature
limit 10
