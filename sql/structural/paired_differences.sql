-- output: paired_differences
-- grain:  feature, test
-- inputs: protein_effects, paper_effects
-- params: $min_proteins BIGINT    proteins, one of each cluster, from which a feature is tested
--         $paper_minimum BIGINT   proteins from which the paper tests one, 25
-- what:   Number, mean and standard deviation of the differences that are tested, one for each protein. Both
--         effects have the same controls, so that their difference is that of contacts and neighbours. In the
--         order of proteins, since sums in another order differ in their last digits.
with
differences as (
    select feature, protein_id, 'structural' as test, contact - control as difference from protein_effects
    union all
    select feature, protein_id, 'sequential' as test, neighbour - control as difference from protein_effects
    union all
    select feature, protein_id, 'difference' as test, contact - neighbour as difference from protein_effects
    union all
    select feature, protein_id, 'paper_structural' as test, structural - structural_shuffled as difference
    from paper_effects
    union all
    select feature, protein_id, 'paper_sequential' as test, sequential - sequential_shuffled as difference
    from paper_effects
)

select
    feature,
    test,
    count(*) as n_proteins,
    avg(difference order by protein_id) as mean,
    stddev_samp(difference order by protein_id) as deviation
from differences
group by feature, test
having count(*) >= case when starts_with(test, 'paper') then $paper_minimum else $min_proteins end
order by test, feature
