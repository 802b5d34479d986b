-- output: feature_shapes
-- grain:  sae, feature
-- inputs: feature_runs, feature_periods, proteins
-- params: $sae VARCHAR  SAE
-- what:   What each feature looks like along the sequence, by the rules of InterProt.
with
runs as (
    select
        r.feature,
        r.protein_id,
        r.start,
        r.activation,
        r.stop - r.start + 1 as n_residues,
        (r.stop - r.start + 1) / p.length::double as share,
        r.activation > 0.75::float * max(r.activation) over (partition by r.feature) as is_strong,
        count(*) over (partition by r.feature, r.protein_id) as n_beside,
        row_number()
            over (partition by r.feature, r.protein_id order by r.activation desc, r.start asc)
            as place
    from feature_runs as r
    inner join proteins as p on r.protein_id = p.protein_id
    where r.sae = $sae
),

measured as (
    select
        feature,
        count(*) filter (where place = 1) as n_proteins,
        count(*) as n_runs,
        median(case when place = 1 then n_beside end)::double as median_runs,
        sum(n_residues)::bigint / count(*)::double as mean_length,
        median(case when is_strong then n_residues end)::double as median_strong_length,
        median(case when is_strong and place = 1 then n_residues end)::double as median_top_length,
        100 * count(*) filter (where is_strong) / count(*)::double as pct_strong_runs,
        100 * sum(share::decimal(28, 12))::double / count(*) filter (where place = 1) as pct_of_protein
    from runs
    group by feature
)

select
    $sae as sae,
    m.feature,
    case
        when m.n_proteins < 5 then 'too few proteins'
        when m.median_runs > 10 and m.median_top_length < 10 and p.pct_both_periods > 50 then 'periodic'
        when m.median_strong_length = 1 then 'point'
        when m.pct_of_protein < 80 and m.pct_strong_runs > 10 and m.median_top_length < 20 then 'short motif'
        when m.pct_of_protein < 80 and m.pct_strong_runs > 10 then 'long stretch'
        when m.pct_of_protein > 80 then 'whole protein'
        else 'other'
    end as shape,
    m.n_proteins,
    m.n_runs,
    m.median_runs,
    m.mean_length,
    m.median_strong_length,
    m.median_top_length,
    m.pct_strong_runs,
    m.pct_of_protein,
    p.period,
    p.pct_period,
    p.second_period,
    p.pct_both_periods
from measured as m
left join feature_periods as p on m.feature = p.feature and p.sae = $sae
