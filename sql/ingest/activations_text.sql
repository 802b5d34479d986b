-- output: activation_rows
-- grain:  row
-- inputs: activation_source
-- params: none
-- what:   Rows of a CSV or TSV file as numbers; what is no number is NULL. A cast alone would round
--         3.7 to position 4.
select
    row,
    accession,
    if(regexp_full_match(position, '[+-]?[0-9]{1,18}'), position::bigint, null) as position,
    if(regexp_full_match(feature, '[+-]?[0-9]{1,18}'), feature::bigint, null) as feature,
    try_cast(value as double) as value
from activation_source
