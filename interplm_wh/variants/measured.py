"""Measured effects beside what the features do, and beside what the PLM itself says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh import sqlfile
from interplm_wh.build import derived
from interplm_wh.errors import MismatchError, ModelError
from interplm_wh.variants.notation import LETTERS, Variant

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM
    from interplm_wh.plm.batches import Piece

FOLDER = "variants"
N_RESAMPLES = 1000
MIN_POSITIONS = 10
"""Positions from which an interval is given."""
MIN_VARIANTS = 10
"""Variants that a feature must change in, to be tried."""
_CHUNK = 1 << 22
Floats = NDArray[np.float64]


def log_odds(plm: PLM, sequence: str, variants: Iterable[Variant]) -> dict[Variant, float] | None:
    """Return log p(mutant) - log p(wild type) of variants, summed over their substitutions.

    Each position is masked by itself in the wild type; in a protein beyond the PLM's window it is read
    where it is farthest from an edge.

    Returns
    -------
    dict of Variant to float, or None
        None where the PLM has no masked-token head.

    Raises
    ------
    MismatchError
        If predictions are not finite.

    Source: Meier et al., "Language models enable zero-shot prediction of the effects of mutations on
    protein function" (2021), masked marginals.
    """
    try:
        plm.require_head()
    except ModelError:
        return None
    wanted = list(variants)
    places = sorted({one.position for variant in wanted for one in variant.substitutions})
    logits = _masked_logits(plm, sequence, places)
    row = {position: i for i, position in enumerate(places)}
    column = {letter: i for i, letter in enumerate(LETTERS)}
    own = {position: len(LETTERS) for position in places}
    if not np.isfinite(logits).all():
        raise MismatchError(f"{plm.name}: predictions are not finite ({plm.dtype}); use --dtype float32")
    return {
        variant: float(
            sum(
                logits[row[one.position], column[one.mutant]] - logits[row[one.position], own[one.position]]
                for one in variant.substitutions
            )
        )
        for variant in wanted
    }


def _masked_logits(plm: PLM, sequence: str, places: Sequence[int]) -> Floats:
    """Return the logits at masked positions, float64 [n_places, 21]: the letters, then the wild type's."""
    import torch

    from interplm_wh.plm.batches import Piece
    from interplm_wh.plm.windows import windows

    letters = plm.tokens([LETTERS])
    of_letters = letters.ids[letters.is_residue]
    pieces = [
        Piece(i, w.start, w.stop, 0, place - 1 - w.start, 1)
        for w in windows(len(sequence), plm.window)
        for i, place in enumerate(places)
        if w.keep_start < place <= w.keep_stop
    ]
    found = np.empty((len(places), len(LETTERS) + 1))

    def run(batch: list[Piece]) -> None:
        texts = [sequence[p.start : p.stop] for p in batch]
        tokens = plm.tokens(texts)
        at = torch.stack([tokens.is_residue[i].nonzero()[p.skip, 0] for i, p in enumerate(batch)])
        each = torch.arange(len(batch), device=at.device)
        masked = torch.zeros_like(tokens.is_residue)
        masked[each, at] = True
        logits = plm.predict(texts, masked=masked).logits[each, at]  # [B, V]
        own = tokens.ids[each, at]
        chosen = torch.cat([logits[:, of_letters], logits[each, own][:, None]], dim=1)
        found[[p.index for p in batch]] = chosen.double().cpu().numpy()

    plm.each_batch(pieces, run)
    return found


def correlations(
    con: duckdb.DuckDBPyConnection, *, sae: str, accession: str, protein_id: int, measurement: str
) -> pa.Table:
    """Return the rows of `variant_correlations` for one measured effect; none where nothing is joined.

    Parameters
    ----------
    con : DuckDBPyConnection
        With the variants and the measured effects.
    """
    values = {"sae": sae, "accession": accession, "measurement": measurement, "min_variants": MIN_VARIANTS}
    names = (
        "measured_variants", "measure_values", "measure_correlations", "feature_values", "feature_sums",
        "feature_correlations",
    )  # fmt: skip
    derived.lay(con, FOLDER, names, values)
    given = {"given_intervals": _intervals(con), "given_p_values": _p_values(con)}
    for name, table in given.items():
        con.register(name, table)
    file = sqlfile.load(FOLDER, "correlations")
    rows = con.sql(file.sql, params=file.bind({"protein_id": protein_id, "measurement": measurement}))
    found = rows.to_arrow_table()
    for name in given:
        con.unregister(name)
    for name in reversed(names):
        con.execute(f"drop table temp.{name}")
    return found


def _p_values(con: duckdb.DuckDBPyConnection) -> pa.Table:
    rows = con.execute(
        "select feature, spearman, standard_error from feature_correlations where standard_error is not null "
        "and spearman is not null order by feature"
    ).fetchall()
    bounded = [(f, math.atanh(min(max(r, -0.999999), 0.999999)) / error) for f, r, error in rows]
    return pa.table(
        {
            "feature": pa.array([feature for feature, _ in bounded], pa.int32()),
            "p_value": pa.array([math.erfc(abs(z) / math.sqrt(2)) for _, z in bounded], pa.float64()),
        }
    )


def _intervals(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Draw the interval of each measure's Spearman correlation."""
    measures = [m for (m,) in con.execute("select measure from measure_correlations").fetchall()]
    found = []
    for measure in measures:
        rows = con.execute(
            "select x, measured, position from measure_values where measure = ? order by variant", [measure]
        ).fetchnumpy()
        found.append((measure, *interval(rows["x"], rows["measured"], rows["position"])))
    names = ("measure", "low", "high")
    columns = zip(*found, strict=True) if found else ((), (), ())
    types = (pa.string(), pa.float64(), pa.float64())
    return pa.table({n: pa.array(list(c), t) for n, c, t in zip(names, columns, types, strict=True)})


def interval(
    x: Floats, y: Floats, positions: NDArray[np.int32], *, seed: int = 0
) -> tuple[float | None, float | None]:
    """Return the 95 % percentile interval of Spearman's correlation, positions drawn with replacement.

    Variants of one position are not independent, and are drawn together. None for fewer than 10
    positions, or where nothing varies.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    units, unit = np.unique(positions, return_inverse=True)
    if len(units) < MIN_POSITIONS:
        return None, None
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=N_RESAMPLES)
    step = max(1, _CHUNK // len(x))
    found = np.concatenate(
        [spearman(x, y, drawn[i : i + step][:, unit].astype(np.float64)) for i in range(0, N_RESAMPLES, step)]
    )
    found = found[np.isfinite(found)]
    if not len(found):
        return None, None
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def spearman(x: Floats, y: Floats, times: Floats) -> Floats:
    """Return Spearman's correlation of rows that stand so many times in a sample.

    Parameters
    ----------
    x, y : float64 [n]
    times : float64 [n_samples, n]

    Returns
    -------
    float64 [n_samples]
        NaN where one of the two is constant.
    """
    a, b = _ranks(x, times), _ranks(y, times)
    n = times.sum(axis=1, keepdims=True)
    a -= (times * a).sum(axis=1, keepdims=True) / n
    b -= (times * b).sum(axis=1, keepdims=True) / n
    spread = np.sqrt((times * a * a).sum(axis=1) * (times * b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(spread > 1e-9, (times * a * b).sum(axis=1) / spread, np.nan)
    return found


def _ranks(x: Floats, times: Floats) -> Floats:
    """Return the mean rank of each row in each sample, float64 [n_samples, n]."""
    _, group = np.unique(x, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    size = np.add.reduceat(times[:, order], first, axis=1)  # [n_samples, n_groups]
    middle = size.cumsum(axis=1) - (size - 1) / 2
    ranks: Floats = middle[:, group]
    return ranks
