-- output: paired_differences
-- grain:  feature, test
-- inputs: protein_effects, paper_effects
-- params: $min_proteins BIGINT    proteins, one of each cluster, from which a feature is tested
--         $paper_minimum BIGINT   proteins from which the paper tests one, 25
-- what:   Number, mean and standard deviation of the differences that are tested, one for each protein. Both
--         effects have the same controls, so that their difference is that of contacts and neighbours.
with
differences as (
    select feature, 'structural' as test, contact - control as difference from protein_effects
    union all
    select feature, 'sequential' as test, neighbour - control as difference from protein_effects
    union all
    select feature, 'difference' as test, contact - neighbour as difference from protein_effects
    union all
    select feature, 'paper_structural' as test, structural - structural_shuffled as difference
    from paper_effects
    union all
    select feature, 'paper_sequential' as test, sequential - sequential_shuffled as difference
    from paper_effects
)

select
    feature,
    test,
    count(*) as n_proteins,
    avg(difference) as mean,
    stddev_samp(difference) as deviation
from differences
group by feature, test
having count(*) >= case when starts_with(test, 'paper') then $paper_minimum else $min_proteins end
order by test, feature
