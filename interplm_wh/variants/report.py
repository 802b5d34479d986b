"""What `variants` found, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from interplm_wh import store
from interplm_wh.ask.table import number, plain_table

if TYPE_CHECKING:
    from interplm_wh.variants.given import Measured
    from interplm_wh.variants.write import Target

_BEST, _BEST_FEATURES, _BEST_CORRELATIONS = 15, 10, 10
_RANKING = {
    "rank": "rank", "variant": "variant", "total_change": "total change", "site_change": "at the site",
    "n_residues": "residues", "n_features": "features", "feature": "feature", "feature_change": "its change",
}  # fmt: skip
_FEATURES = {
    "feature": "feature", "concept": "finds", "n_variants": "variants", "total_change": "total change",
    "mean_change": "mean", "gain_variant": "largest gain", "gain": "by", "loss_variant": "largest loss",
    "loss": "by",
}  # fmt: skip
_CORRELATED = {
    "what": "beside the measured effect", "n_variants": "variants", "spearman": "Spearman",
    "spearman_low": "from", "spearman_high": "to", "pearson": "Pearson", "q_value": "q",
}  # fmt: skip
_CORRELATIONS = (
    "select c.* from variant_correlations as c inner join proteins as p on c.protein_id = p.protein_id "
    "where c.sae = $sae and p.accession = $accession and c.measurement = $measurement "
    "order by c.feature is not null, c.measure, c.q_value nulls last, c.p_value, c.feature"
)


@dataclass(frozen=True)
class VariantsReport:
    """What variants change.

    Attributes
    ----------
    sae, accession : str
    n_variants, n_made : int
        Variants that were asked for; those of them that were compared now, the others were there.
    n_residues : int
        Residues of those that were compared now.
    min_change : float
        Changes of normalised activation up to this were left out.
    is_chosen : bool
        Whether features were named, by which alone the variants are ranked.
    ranking : pa.Table
        The rows of `variant_ranking` for the variants that were asked for.
    features : pa.Table
        The rows of `variant_features`, over all variants of the protein.
    measurement : str
        Of `correlations`; empty where no effect was given.
    n_joined, n_without : int
        Measured variants that were compared, and rows of the file without a number.
    correlations : pa.Table
        Rows of `variant_correlations`.
    n_unscaled : int
        Features without a scale that were active in a mutant, and are left out.
    seconds : float
    """

    sae: str
    accession: str
    n_variants: int
    n_made: int
    n_residues: int
    min_change: float
    is_chosen: bool
    ranking: pa.Table
    features: pa.Table
    measurement: str
    n_joined: int
    n_without: int
    correlations: pa.Table
    n_unscaled: int
    seconds: float

    def lines(self) -> list[str]:
        """Describe it for people."""
        rows = self.ranking.slice(0, _BEST).to_pylist()
        n_silent = sum(1 for total in self.ranking["total_change"].to_pylist() if not total)
        said = [
            f"{self.accession} with {self.sae}: {self.n_variants:,} variants, {self.n_made:,} compared now; "
            f"changes of activation above {self.min_change:g} count; {n_silent:,} change "
            f"{'none of the features that were named' if self.is_chosen else 'nothing'}",
            "",
            *_table(_RANKING, rows),
            "",
            f"Features that all variants of {self.accession} change most, those of earlier runs included:",
            "",
            *_table(_FEATURES, self.features.slice(0, _BEST_FEATURES).to_pylist()),
            *self._correlated(),
            "",
        ]
        if self.n_unscaled:
            said.append(f"{self.n_unscaled:,} features that are dead in the scale fire in a mutant: left out")
        rate = f", {self.n_residues / self.seconds:,.0f} residues/s" if self.n_made and self.seconds else ""
        return [*said, f"kept in variants and variant_changes; {self.seconds:,.1f} s{rate}"]

    def _correlated(self) -> list[str]:
        if not self.measurement:
            return []
        rows = [dict(row, what=_what(row)) for row in self.correlations.to_pylist()]
        of_features = [row for row in rows if row["feature"] is not None]
        tried = f"{len(of_features):,} features tried" if of_features else "no feature changes often enough"
        without = f"; {self.n_without:,} rows without a number" if self.n_without else ""
        n_found = sum(1 for row in of_features if row["q_value"] is not None and row["q_value"] < 0.05)
        shown = [row for row in rows if row["feature"] is None] + of_features[:_BEST_CORRELATIONS]
        return [
            "",
            f"{self.measurement}: {self.n_joined:,} measured variants were compared{without}; {tried}, "
            f"{n_found:,} with q below 0.05",
            "",
            *(_table(_CORRELATED, shown) if shown else ["none of them was compared: give them as variants"]),
        ]


def _what(row: dict[str, Any]) -> str:
    if row["feature"] is not None:
        return f"feature {row['feature']}"
    measure = str(row["measure"])
    return "log-odds of the PLM" if measure == "log_odds" else measure.replace("_", " ")


def _table(columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["none"]
    cells = [
        [str(row[name]) if name in ("feature", "rank") else number(row[name]) for name in columns]
        for row in rows
    ]
    return plain_table(list(columns.values()), cells)


def made_report(
    root: Path,
    target: Target,
    *,
    asked: Sequence[str],
    n_made: int,
    features: Sequence[int],
    effects: Measured | None,
    n_unscaled: int,
    seconds: float,
) -> VariantsReport:
    """Read what was written."""
    of = {"sae": target.row.sae, "accession": target.accession}
    name = effects.name if effects else ""
    with store.open(root, own_macros=True) as wh:
        ranking = wh.sql(
            "select row_number() over (order by r.rank)::integer as rank, r.* exclude (rank) from "
            "variant_ranking($sae, $accession, wanted_features := $features) as r "
            "semi join asked_variants as a on r.variant = a.variant order by rank",
            {**of, "features": list(features)},
            tables={"asked_variants": pa.table({"variant": pa.array(asked, pa.string())})},
        )
        changed = wh.sql("from variant_features($sae, $accession)", of)
        correlations = wh.sql(_CORRELATIONS, {**of, "measurement": name})
        floor = wh.sql(
            "select any_value(min_change) as floor from variants where sae = $sae and accession = $accession",
            of,
        )["floor"].to_pylist()[0]
        joined = wh.sql(
            "select count(*) as n from variant_measurements as m inner join variants as v on m.sae = v.sae "
            "and m.protein_id = v.protein_id and m.variant = v.variant where v.sae = $sae "
            "and v.accession = $accession and m.measurement = $measurement",
            {**of, "measurement": name},
        )["n"].to_pylist()[0]
    return VariantsReport(
        sae=target.row.sae,
        accession=target.accession,
        n_variants=len(asked),
        n_made=n_made,
        n_residues=n_made * len(target.sequence),
        min_change=floor,
        is_chosen=bool(features),
        ranking=ranking,
        features=changed,
        measurement=name,
        n_joined=joined,
        n_without=effects.n_without if effects else 0,
        correlations=correlations,
        n_unscaled=n_unscaled,
        seconds=seconds,
    )
