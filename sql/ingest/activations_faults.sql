-- output: activation_faults
-- grain:  reason, accession
-- inputs: activation_judged
-- params: $n_features BIGINT  features of the SAE
-- what:   What is wrong, how often, and where first; each unknown accession is a fault of its own.
with
reasons as (
    select
        row,
        accession,
        position_text,
        feature_text,
        value_text,
        length,
        unnest([
            if(is_incomplete, 'a value is missing or is no number', null),
            if(is_unknown and accession is not null, 'the accession is not in the warehouse', null),
            if(is_outside, 'the position is not within the protein', null),
            if(is_no_feature or feature >= $n_features, 'the feature is not one of the SAE', null),
            if(is_no_value, 'the value is NaN, infinite or negative', null)
        ]) as reason
    from activation_judged
    where is_incomplete or is_unknown or is_outside or is_no_feature or is_no_value or feature >= $n_features
)

select
    reason,
    count(*) as n_rows,
    min(row) as first_row,
    arg_min(coalesce(accession, '?'), row) as accession,
    arg_min(coalesce(position_text, '?'), row) as position,
    arg_min(coalesce(feature_text, '?'), row) as feature,
    arg_min(coalesce(value_text, '?'), row) as value,
    arg_min(length, row) as length
from reasons
where reason is not null
group by reason, if(reason = 'the accession is not in the warehouse', accession, null)
order by first_row, reason
