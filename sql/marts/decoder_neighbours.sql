-- output: decoder_neighbours
-- grain:  sae, feature, rank
-- inputs: sae_directions
-- params: $sae VARCHAR      SAE
--         $weights VARCHAR  checksum of its weights
-- what:   The features whose decoder columns point most nearly where a feature's own does.
select
    d.sae,
    d.feature,
    row_number() over (partition by d.feature order by d.cosine desc, d.neighbour asc)::integer as rank,
    d.neighbour,
    d.cosine
from sae_directions as d
where d.sae = $sae and d.weights = $weights
