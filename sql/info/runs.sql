-- output: runs
-- grain:  run_id
-- inputs: runs
-- params: none
-- what:   The last ten commands that changed the warehouse.
select
    strftime(r.finished, '%Y-%m-%d %H:%M:%S') as finished,
    r.command,
    round(epoch(r.finished) - epoch(r.started), 1) as seconds,
    case when length(r.settings) > 60 then left(r.settings, 59) || '…' else r.settings end as settings
from runs as r
qualify
    row_number() over (
        order by r.finished desc, r.run_id
    ) <= 10
order by r.finished desc
