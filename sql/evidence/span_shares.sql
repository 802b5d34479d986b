-- output: span_shares
-- grain:  concept_id
-- inputs: counted_spans, proteins
-- params: $sae VARCHAR  SAE
-- what:   The share of its protein that a span of a concept covers on test, of the span in the middle.
select
    s.concept_id,
    median((s.stop - s.start + 1) / p.length::double) as median_span_share
from counted_spans as s
inner join proteins as p on s.protein_id = p.protein_id
where s.sae = $sae and s.split = 'test'
group by s.concept_id
order by s.concept_id
