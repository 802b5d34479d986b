-- output: activation_judged
-- grain:  row
-- inputs: activation_rows, proteins
-- params: none
-- what:   Each row with its protein and whether it can be taken. Values are judged as the FLOAT that
--         is stored: what is too small for it is 0, what is too large is infinite.
select
    r.row,
    r.accession,
    r.position,
    r.feature,
    r.value,
    r.position_text,
    r.feature_text,
    r.value_text,
    p.protein_id,
    p.length,
    try_cast(r.value as float) as stored,
    r.accession is null or r.position is null or r.feature is null or r.value is null as is_incomplete,
    p.protein_id is null as is_unknown,
    r.position < 1 or r.position > p.length as is_outside,
    r.feature < 0 or r.feature > 2147483646 as is_no_feature,
    r.value is not null
    and (r.value < 0 or not isfinite(r.value) or try_cast(r.value as float) is null) as is_no_value
from activation_rows as r
left join proteins as p on r.accession = p.accession
