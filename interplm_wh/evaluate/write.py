"""What was measured, as rows of the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from interplm_wh import __version__, schema, sqlfile, store
from interplm_wh.encode.register import LAST_WAIT_SECONDS
from interplm_wh.errors import NotThereError
from interplm_wh.evaluate.proteins import Proteins
from interplm_wh.quote import quote_identifier
from interplm_wh.store import layout
from interplm_wh.store.rows import first_row

if TYPE_CHECKING:
    from interplm_wh.encode.models import SaeRow
    from interplm_wh.evaluate.fidelity import Entropies, Measure
    from interplm_wh.store import Transaction

log = logging.getLogger(__name__)
_DEPENDS_ON = {
    "fingerprint": "choice of proteins",
    "dtype": "number format",
    "package_version": "version of interplm-wh",
}
"""What must be the same for fidelity to stay where it is not measured again."""
TABLES = ("sae_metrics", "sae_frequency")
EVALUATION = pa.schema(
    [
        ("sae", pa.string()), ("evaluated_on", pa.string()), ("n_proteins", pa.int64()),
        ("n_residues", pa.int64()), ("variance_explained", pa.float64()), ("mse", pa.float64()),
        ("fingerprint", pa.string()), ("dtype", pa.string()), ("package_version", pa.string()),
    ]
)  # fmt: skip
FEATURES = pa.schema([("feature", pa.int32()), ("n_firing", pa.int64())])
ENTROPIES = pa.schema(
    [(f"{measure}_{how}", pa.float64()) for measure in ("unmasked", "masked")
     for how in ("original", "zero", "sae")]
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What was measured of one SAE.

    Attributes
    ----------
    row : SaeRow
    variance_explained : float or None
        None where there is no variance.
    mse : float
    n_firing : int64 array [n_features]
        Residues on which each feature is above 0.
    entropies : dict or None
        Per measure; None where fidelity was skipped.
    dtype : str
        Number format of the PLM.
    """

    row: SaeRow
    variance_explained: float | None
    mse: float
    n_firing: NDArray[np.int64]
    entropies: dict[Measure, Entropies] | None
    dtype: str

    def relations(self, proteins: Proteins) -> dict[str, pa.Table]:
        """Return what `sql/evaluate/` reads, by name."""
        said = {
            "sae": self.row.sae,
            "evaluated_on": proteins.evaluated_on,
            "n_proteins": len(proteins.sequences),
            "n_residues": sum(proteins.lengths),
            "variance_explained": self.variance_explained,
            "mse": self.mse,
            "fingerprint": proteins.fingerprint,
            "dtype": self.dtype,
            "package_version": __version__,
        }
        features = [np.arange(len(self.n_firing), dtype=np.int32), self.n_firing]
        entropies = ENTROPIES.empty_table()
        if self.entropies is not None:
            columns = [a for e in self.entropies.values() for a in (e.original, e.zero, e.sae)]
            entropies = pa.table(columns, schema=ENTROPIES)
        return {
            "evaluation": pa.Table.from_pylist([said], EVALUATION),
            "evaluated_features": pa.table(features, schema=FEATURES),
            "evaluated_entropies": entropies,
        }


def write(
    root: Path, measured: Sequence[Measured], proteins: Proteins, *, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Put measurements in the place of earlier ones on the same proteins.

    Parameters
    ----------
    settings : dict
        What `runs` keeps; its `fasta` is the file that the proteins came from.

    Returns
    -------
    list of dict
        The new rows of `sae_metrics`.

    Raises
    ------
    NotThereError
        If an SAE was removed or replaced meanwhile.
    """
    rows: list[dict[str, Any]] = []
    with store.write(root, command="evaluate", settings=settings, wait_seconds=LAST_WAIT_SECONDS) as tx:
        if settings["fasta"] is not None:
            tx.fingerprint_input(Path(settings["fasta"]))
        for one in measured:
            _require_same(tx, one.row)
            before = _before(tx, one, proteins)
            for name, table in (one.relations(proteins) | {"evaluated_before": before}).items():
                tx.con.register("given", table)
                tx.con.execute(f"create or replace temp table {quote_identifier(name)} as from given")
                tx.con.unregister("given")
            (row,) = tx.con.sql(sqlfile.load("evaluate", TABLES[0]).sql).to_arrow_table().to_pylist()
            _warn_of_loss(before, row)
            rows.append(row)
            for name in TABLES:
                folder = tx.new_folder(name, sae=one.row.sae)
                tx.write_query(folder, sqlfile.load("evaluate", name).sql)
                tx.replace(name, [folder], sae=one.row.sae, source=proteins.evaluated_on)
        tx.publish()
    return rows


def _before(tx: Transaction, one: Measured, proteins: Proteins) -> pa.Table:
    """Return the row of `sae_metrics` whose fidelity may stay; none where fidelity was measured.

    The row is of the same weights: what was measured of an SAE goes when it is removed.
    """
    table = schema.table(TABLES[0])
    if one.entropies is None:
        select = layout.view_select(table, tx.folder_paths(table.name, sae=one.row.sae))
        wanted = f"from ({select}) where evaluated_on = $on and n_fidelity_proteins > 0"
        try:
            return tx.con.sql(wanted, params={"on": proteins.evaluated_on}).to_arrow_table()
        except duckdb.Error as error:  # replacing it is what mends it
            reason = str(error).partition("\n")[0]
            log.warning("%s: what was measured before is unreadable and replaced: %s", one.row.sae, reason)
    return tx.con.sql(table.empty_select).to_arrow_table()


def _warn_of_loss(before: pa.Table, row: dict[str, Any]) -> None:
    """Say that fidelity is replaced by nothing, and why it could not stay."""
    if row["n_fidelity_proteins"] or not before.num_rows:
        return
    (earlier,) = before.to_pylist()
    differing = [what for key, what in _DEPENDS_ON.items() if earlier[key] != row[key]]
    log.warning(
        "%s: the fidelity that was measured before on %s is gone: it was of another %s; measure it again "
        "without --skip-fidelity",
        row["sae"],
        row["evaluated_on"],
        " and another ".join(differing),
    )


def _require_same(tx: Transaction, row: SaeRow) -> None:
    """Refuse to record what was measured of an SAE that is no longer there."""
    if first_row(tx.con, "from saes where sae = ? and sha256 = ?", [row.sae, row.sha256]) is None:
        raise NotThereError(
            f"{row.sae} was removed or replaced while it was evaluated; nothing was recorded, "
            "evaluate what is there now"
        )
