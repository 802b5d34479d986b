-- output: evidence_summary
-- grain:  sae
-- inputs: pair_evidence
-- params: $saes VARCHAR[]  SAEs
-- what:   How many pairs were tried and tested, and what may be claimed.
select
    sae,
    max(n_tried) as n_tried,
    max(n_tested) as n_tested,
    count(*) filter (where is_claimed) as n_claimed,
    count(*) filter (where is_best) as n_concepts_tested,
    count(*) filter (where is_concept_claimed) as n_concepts_claimed,
    count(*) filter (where n_positive_clusters < 10) as n_few_clusters,
    count(*) filter (where median_span_share > 0.8) as n_too_long,
    max(n_clusters) as n_clusters,
    max(fdr) as fdr
from pair_evidence
where list_contains($saes, sae)
group by sae
order by sae
