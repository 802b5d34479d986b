-- output: annotation_lines
-- grain:  row, item
-- inputs: score_faults, score_runs, score_values
-- params: $concept VARCHAR   name of the concept
-- what:   Residues whose number passes the threshold, in runs. Every protein without a fault counts as
--         looked at.
with
proteins_there as (
    select
        accession,
        min(row) as row
    from score_values
    group by accession
)

select
    row,
    0 as item,
    1 as part,
    accession,
    position_text as start,
    position_text as stop,
    null as concept,
    null as category,
    null as level,
    null as instance,
    value_text as note,
    null as evidence,
    'fault' as state,
    fault as reason
from score_faults
union all
select
    t.row,
    0 as item,
    1 as part,
    t.accession,
    null as start,
    null as stop,
    null as concept,
    null as category,
    null as level,
    null as instance,
    null as note,
    null as evidence,
    'looked' as state,
    null as reason
from proteins_there as t
anti join score_faults as f on t.accession = f.accession
union all
select
    row,
    item,
    1 as part,
    accession,
    start::varchar as start,
    stop::varchar as stop,
    $concept as concept,
    null as category,
    'residue' as level,
    null as instance,
    null as note,
    null as evidence,
    'span' as state,
    null as reason
from score_runs
