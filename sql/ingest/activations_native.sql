-- output: activation_rows
-- grain:  row
-- inputs: activation_source
-- params: none
-- what:   Rows of a Parquet file, whose types were checked before.
select
    row,
    accession::varchar as accession,
    try_cast(position as bigint) as position,
    try_cast(feature as bigint) as feature,
    value::double as value,
    position::varchar as position_text,
    feature::varchar as feature_text,
    value::varchar as value_text
from activation_source
