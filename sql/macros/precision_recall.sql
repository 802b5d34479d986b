-- output: precision_recall
-- grain:  activation
-- inputs: activations, annotations, concepts, coverage, encodings, features, protein_features, proteins
-- params: $wanted_sae VARCHAR              SAE
--         $wanted_concept VARCHAR          concept
--         $wanted_feature INTEGER          feature, 0-based
--         $wanted_split VARCHAR = 'test'   split
-- what:   The whole precision-recall curve of a pair, residue by residue: one row for each activation that
--         occurs, the highest first; residues at that activation or above are taken for the concept. The
--         last row is at 0, where every residue is. average_precision is the same sum in every row: over
--         the rows, the recall that a row adds times its precision.
with
wanted as (
    select
        c.concept_id,
        c.source
    from concepts as c
    where c.concept = $wanted_concept
),

members as (
    select
        p.protein_id,
        p.length
    from proteins as p
    inner join encodings as e on p.protein_id = e.protein_id
    inner join coverage as v on p.protein_id = v.protein_id
    where e.sae = $wanted_sae and p.split = $wanted_split and v.source in (select w.source from wanted as w)
),

residues as (
    select distinct
        m.protein_id,
        r.residue
    from annotations as a
    inner join members as m on a.protein_id = m.protein_id
    cross join unnest(range(a.start, least(a.stop, m.length) + 1)) as r (residue)
    where a.concept_id in (select w.concept_id from wanted as w)
),

firing as (
    select
        a.protein_id,
        a.position,
        (a.value / nullif(f.max_activation, 0))::float as activation
    from activations as a
    inner join features as f on a.sae = f.sae and a.feature = f.feature
    where
        a.sae = $wanted_sae
        and a.feature = $wanted_feature
        and a.value > 0
        and a.protein_id in (
            select t.protein_id
            from protein_features as t
            where t.sae = $wanted_sae and t.feature = $wanted_feature
        )
        and a.protein_id in (select m.protein_id from members as m)
),

totals as (
    select
        (select sum(m.length) from members as m)::bigint as n_residues,
        (select count(*) from residues) as n_positive
),

steps as (
    select
        f.activation,
        count(*) as n,
        count(r.residue) as n_right
    from firing as f
    left join residues as r on f.protein_id = r.protein_id and f.position = r.residue
    where f.activation > 0
    group by f.activation
),

reached as (
    select
        activation,
        (sum(n) over (order by activation desc rows unbounded preceding))::bigint as n_above,
        (sum(n_right) over (order by activation desc rows unbounded preceding))::bigint as tp
    from steps
    union all
    select
        0::float as activation,
        t.n_residues as n_above,
        t.n_positive as tp
    from totals as t
    where
        t.n_residues > 0
        and exists (
            select 1 as one
            from features as x
            where x.sae = $wanted_sae and x.feature = $wanted_feature
        )
),

curve as (
    select
        r.activation,
        r.tp,
        r.n_above - r.tp as fp,
        r.tp / r.n_above::double as "precision",
        r.tp / nullif(t.n_positive, 0)::double as recall,
        (r.tp - coalesce(lag(r.tp) over (order by r.activation desc), 0)) / nullif(t.n_positive, 0)::double
            as gained
    from reached as r
    cross join totals as t
)

select
    activation,
    tp,
    fp,
    "precision",
    recall,
    sum(gained * "precision") over () as average_precision
from curve
order by activation desc
