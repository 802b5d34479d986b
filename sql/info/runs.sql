-- output: runs
-- grain:  run_id
-- inputs: runs
-- params: none
-- what:   The last ten commands that changed the warehouse.
select
    strftime(finished, '%Y-%m-%d %H:%M:%S') as finished,
    runs.command,
    round(epoch(finished) - epoch(runs.started), 1) as seconds,
    runs.settings
from runs
qualify row_number() over (order by runs.finished desc, runs.run_id) <= 10
order by runs.finished desc
