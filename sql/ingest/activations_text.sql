-- output: activation_rows
-- grain:  row
-- inputs: activation_source
-- params: none
-- what:   Rows of a CSV or TSV file as numbers; what is no number is NULL. A cast alone would round
--         3.7 to position 4; 3.0, as other tools write whole numbers beside gaps, is 3.
select
    row,
    accession,
    if(
        regexp_full_match(position, '[+-]?[0-9]{1,18}(\.0*)?'),
        split_part(position, '.', 1)::bigint,
        null
    ) as position,
    if(
        regexp_full_match(feature, '[+-]?[0-9]{1,18}(\.0*)?'),
        split_part(feature, '.', 1)::bigint,
        null
    ) as feature,
    try_cast(value as double) as value,
    position as position_text,
    feature as feature_text,
    value as value_text
from activation_source
