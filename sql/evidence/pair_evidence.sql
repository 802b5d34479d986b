-- output: pair_evidence
-- grain:  concept, feature
-- inputs: concept_f1, concepts, heldout_pairs, measured_pairs, span_shares
-- params: $sae VARCHAR   SAE
--         $fdr DOUBLE    false-discovery rate of a claim
--         $seed BIGINT   seed of draws and resamples
-- what:   What was drawn for each tested pair, and what may be claimed. The false-discovery rates are those
--         of Benjamini and Hochberg (1995) and of Benjamini and Yekutieli (2001). A concept with a hundred
--         features would fill a list of concepts with its like; what is said of concepts is therefore
--         corrected over their best pairs alone.
with
pairs as (
    select
        m.*, h.concept, h.threshold, h.is_best, h.test_f1_per_domain, s.median_span_share,
        greatest(m.p_shift, m.p_exchange) as p
    from measured_pairs as m
    inner join concepts as c on m.concept_id = c.concept_id
    inner join heldout_pairs as h on h.sae = $sae and c.concept = h.concept and m.feature = h.feature
    inner join span_shares as s on m.concept_id = s.concept_id
),

tried as (
    select count(*) as n_tried
    from concept_f1 as f
    inner join concepts as c on f.concept = c.concept
    where f.sae = $sae and f.split = 'valid' and c.source != 'sequence'
),

ranked as (
    select
        *,
        count(*) over () as n_tested,
        row_number() over (order by p asc, concept asc, feature asc) as rank,
        count(*) over (partition by is_best) as n_alike,
        row_number() over (partition by is_best order by p asc, concept asc, feature asc) as rank_alike
    from pairs
),

corrected as (
    select
        *,
        least(min(p * n_tested / rank) over (order by rank desc rows unbounded preceding), 1::double) as q,
        sum(1.0::double / rank) over () as harmonic,
        least(
            min(p * n_alike / rank_alike) over (
                partition by is_best order by rank_alike desc rows unbounded preceding
            ),
            1::double
        ) as q_alike,
        n_positive_clusters >= 10 and median_span_share <= 0.8 as is_claimable
    from ranked
)

select
    c.concept,
    c.feature,
    c.threshold,
    c.is_best,
    c.test_f1_per_domain as f1_per_domain,
    c.f1_low,
    c.f1_high,
    c.n_resamples,
    c.n_empty_resamples,
    c.n_clusters,
    c.n_positive_clusters,
    c.n_relatives,
    c.f1_without_relatives,
    c.median_span_share,
    c.p_shift,
    c.n_shift_draws,
    c.p_exchange,
    c.n_exchange_draws,
    c.p_shift_max,
    c.p_exchange_max,
    c.p,
    c.q,
    least(c.q * c.harmonic, 1::double) as q_by,
    case when c.is_best then c.q_alike end as q_best,
    c.n_tested,
    t.n_tried,
    $fdr::double as fdr,
    c.is_claimable and c.q <= $fdr as is_claimed,
    case when c.is_best then c.is_claimable and c.q_alike <= $fdr end as is_concept_claimed,
    $seed::bigint as seed
from corrected as c
cross join tried as t
order by c.concept, c.feature
