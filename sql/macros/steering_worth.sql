-- output: steering_worth
-- grain:  run, dose, feature
-- inputs: steering_samples
-- params: $wanted_sae VARCHAR  SAE
-- what:   Whether sampling under steering worked: each sample beside the one without steering that shares
--         its random numbers. pct_raised is the share of pairs in which the feature's highest activation is
--         higher with steering; perplexities are geometric means, of the PLM without steering.
with
pairs as (
    select
        s.run,
        s.dose,
        s.feature,
        s.max_activation,
        s.mean_activation,
        s.pseudo_perplexity,
        p.max_activation as plain_max_activation,
        p.mean_activation as plain_mean_activation,
        p.pseudo_perplexity as plain_perplexity
    from steering_samples as s
    inner join steering_samples as p
        on s.sae = p.sae and s.run = p.run and s.feature = p.feature and s.sample = p.sample
    where s.sae = $wanted_sae and s.is_steered and not p.is_steered
)

select
    run,
    dose,
    feature,
    count(*) as n_samples,
    avg(plain_max_activation) as plain_max_activation,
    avg(max_activation) as max_activation,
    avg(plain_mean_activation) as plain_mean_activation,
    avg(mean_activation) as mean_activation,
    100 * avg((max_activation > plain_max_activation)::integer) as pct_raised,
    exp(avg(ln(plain_perplexity))) as plain_perplexity,
    exp(avg(ln(pseudo_perplexity))) as pseudo_perplexity
from pairs
group by run, dose, feature
order by run, dose, feature
