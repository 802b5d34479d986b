-- output: feature_tests
-- grain:  feature
-- inputs: weighed_differences
-- params: none
-- what:   What the tests of each feature gave; NULL where one was not made. Of ours, false-discovery rates
--         over the features of each test (Benjamini and Hochberg 1995); of the paper's, p-values times the
--         number of features that it tests (Bonferroni), and Cohen's d of the paired differences.
with
ranked as (
    select
        *,
        count(*) over (partition by test) as n_tested,
        row_number() over (partition by test order by p asc, feature asc) as rank
    from weighed_differences
),

corrected as (
    select
        feature,
        test,
        mean,
        low,
        high,
        p,
        least(
            min(p * n_tested / rank) over (
                partition by test order by rank desc rows unbounded preceding
            ),
            1::double
        ) as q,
        least(p * n_tested, 1::double) as p_bonferroni,
        mean / nullif(deviation, 0) as d
    from ranked
)

select
    feature,
    max(mean) filter (where test = 'structural') as structural_effect,
    max(low) filter (where test = 'structural') as structural_low,
    max(high) filter (where test = 'structural') as structural_high,
    max(p) filter (where test = 'structural') as structural_p,
    max(q) filter (where test = 'structural') as structural_q,
    max(mean) filter (where test = 'sequential') as sequential_effect,
    max(low) filter (where test = 'sequential') as sequential_low,
    max(high) filter (where test = 'sequential') as sequential_high,
    max(p) filter (where test = 'sequential') as sequential_p,
    max(q) filter (where test = 'sequential') as sequential_q,
    max(mean) filter (where test = 'difference') as difference,
    max(low) filter (where test = 'difference') as difference_low,
    max(high) filter (where test = 'difference') as difference_high,
    max(p) filter (where test = 'difference') as difference_p,
    max(q) filter (where test = 'difference') as difference_q,
    max(mean) filter (where test = 'paper_structural') as paper_structural_effect,
    max(d) filter (where test = 'paper_structural') as paper_structural_d,
    max(p_bonferroni) filter (where test = 'paper_structural') as paper_structural_p,
    max(mean) filter (where test = 'paper_sequential') as paper_sequential_effect,
    max(d) filter (where test = 'paper_sequential') as paper_sequential_d,
    max(p_bonferroni) filter (where test = 'paper_sequential') as paper_sequential_p
from corrected
group by feature
