-- output: feature_structure
-- grain:  feature
-- inputs: feature_counts, feature_tests, features
-- params: $sae VARCHAR             SAE
--         $fdr DOUBLE              false-discovery rate of a class
--         $presence DOUBLE         as the test had it
--         $max_distance DOUBLE     the same
--         $min_separation INTEGER  the same
--         $min_plddt DOUBLE        the same
--         $min_proteins INTEGER    the same
-- what:   Whether each feature follows the structure or the sequence. Ours: a class only by the paired
--         difference, or where both effects are there. The paper's (Simon and Zou, Nature Methods 2025): a
--         label by which of two p-values is below 0.05, however large the other is, and whatever its sign.
with
judged as (
    select
        *,
        structural_q < $fdr and structural_effect > 0 as is_structural,
        sequential_q < $fdr and sequential_effect > 0 as is_sequential,
        difference_q < $fdr as is_different
    from feature_tests
)

select
    f.feature,
    case
        when j.is_different and j.is_structural and j.difference > 0 then 'structural'
        when j.is_different and j.is_sequential and j.difference < 0 then 'sequential'
        when j.is_structural and j.is_sequential then 'both'
        else 'undecided'
    end as class,
    coalesce(c.n_clusters, 0) as n_clusters,
    coalesce(c.n_proteins, 0) as n_proteins,
    case when j.difference is not null then c.contact end as contact_mean,
    case when j.difference is not null then c.neighbour end as neighbour_mean,
    case when j.difference is not null then c.control end as control_mean,
    j.structural_effect,
    j.structural_low,
    j.structural_high,
    j.structural_p,
    j.structural_q,
    j.sequential_effect,
    j.sequential_low,
    j.sequential_high,
    j.sequential_p,
    j.sequential_q,
    j.difference,
    j.difference_low,
    j.difference_high,
    j.difference_p,
    j.difference_q,
    case
        when j.paper_structural_p is null then null
        when j.paper_structural_p < 0.05 and j.paper_sequential_p < 0.05 then 'both'
        when j.paper_structural_p < 0.05 then 'structural'
        when j.paper_sequential_p < 0.05 then 'sequential'
        else 'neither'
    end as paper_class,
    coalesce(c.paper_n_proteins, 0) as paper_n_proteins,
    j.paper_structural_effect,
    j.paper_structural_d,
    j.paper_structural_p,
    j.paper_sequential_effect,
    j.paper_sequential_d,
    j.paper_sequential_p,
    $fdr::double as fdr,
    $presence::double as presence,
    $max_distance::double as max_distance,
    $min_separation::integer as min_separation,
    $min_plddt::double as min_plddt,
    $min_proteins::integer as min_proteins
from features as f
left join feature_counts as c on f.feature = c.feature
left join judged as j on f.feature = j.feature
where f.sae = $sae and f.max_activation > 0
order by f.feature
