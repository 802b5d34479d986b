"""Test whether features follow the structure or the sequence, and keep it in `feature_structure`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from interplm_wh import progress, sqlfile, store
from interplm_wh.build import derived
from interplm_wh.encode.register import LAST_WAIT_SECONDS
from interplm_wh.errors import InputError, NotThereError, faults_message
from interplm_wh.quote import quote_identifier
from interplm_wh.store import Transaction, Warehouse
from interplm_wh.structural import steps, student
from interplm_wh.structural.report import StructureReport
from interplm_wh.structural.steps import Measured, Settings
from interplm_wh.suggest import choose

TABLE = "feature_structure"
_LISTED = (
    f"from {TABLE} where list_contains($saes, sae) and (len($features) = 0 or "
    "list_contains($features, feature)) order by sae, list_position(['structural', 'sequential', 'both', "
    "'undecided'], class), abs(difference) desc nulls last, feature"
)
_KNOWN = (
    "select s.n_features, f.max_activation from saes as s left join features as f on s.sae = f.sae "
    "and f.feature = $feature where s.sae = $sae"
)
_MADE_WITH = f"select distinct {', '.join(asdict(Settings()))} from {TABLE} where sae = $sae"  # noqa: S608


def structure(
    warehouse: str | Path,
    *,
    sae: str | None = None,
    features: Sequence[int] = (),
    presence: float = 0.6,
    max_distance: float = 8.0,
    min_separation: int = 6,
    min_plddt: float = 70.0,
    min_proteins: int = 10,
    fdr: float = 0.05,
) -> StructureReport:
    """Say which features follow the structure, and which the sequence.

    All live features of an SAE are tested and kept in `feature_structure`, by two tests: ours, to which the
    parameters belong, and the paper's as published. They are tested anew when what they are made from, or
    a parameter, has changed.

    Around the residue where a feature is strongest on a protein, ours compares contacts, which are near in
    space and not in the sequence, with controls, which are as far away in the sequence on its other side
    and are no contacts (structural effect); neighbours in the sequence with the same controls (sequential
    effect); and both with each other. Of each cluster of relatives one protein counts.

    The paper's permutes the activations of all residues but the maximum five times; what it leaves open
    (which permutation, two-sided p, Cohen's d of paired differences) is said in `sql/structural/`.

    Parameters
    ----------
    warehouse : str or Path
    sae : str, optional
        By default every SAE that is no control.
    features : sequence of int
        List these features only, 0-based.
    presence : float
        Activation that the strongest residue must be above, at least 0.
    max_distance : float
        Of the C-alphas of a contact, in Å.
    min_separation : int
        Of the two residues of a contact in the sequence, at least 3.
    min_plddt : float
        Residues of predictions with a lower pLDDT are left out.
    min_proteins : int
        Proteins from which a feature is tested, at least 3.
    fdr : float
        False-discovery rate of a class.

    Raises
    ------
    NotThereError
        If there is no such warehouse, SAE or feature, a feature is dead, or no structure.
    InputError
        If a number is out of range, or the scale of features is missing or older than the data.
    LockedError
        If another process is writing when all is measured.

    Source: the paper's test, Simon and Zou, Nature Methods 2025, methods.
    """
    started = time.monotonic()
    settings = Settings(presence, max_distance, min_separation, min_plddt, min_proteins, fdr)
    _check(settings)
    student.require_extra()
    root = Path(warehouse).resolve()
    with store.open(root) as wh:
        saes = choose.built_saes(wh, sae, reads=("features",), what="scales of features")
        _check_features(wh, saes, features)
        behind = [name for name in saes if not _is_current(wh, name, settings)]
        measured = _measure(wh, behind, settings)
    if measured:
        _keep(root, measured, settings)
    with store.open(root) as wh:
        rows = wh.sql(_LISTED, {"saes": saes, "features": list(features)})
        n_structures = {name: _n_structures(wh, name) for name in saes}
    return StructureReport(
        tuple(saes), rows, bool(features), n_structures, tuple(behind), time.monotonic() - started
    )


def _check(settings: Settings) -> None:
    bounds: Mapping[str, tuple[float, float]] = {
        "presence": (0, 1e6), "max_distance": (1, 50), "min_separation": (3, 1000), "min_plddt": (0, 100),
        "min_proteins": (3, 1_000_000), "fdr": (1e-9, 0.5),
    }  # fmt: skip
    faults = [
        f"{name} {value}: give a number from {low:g} to {high:g}"
        for name, (low, high) in bounds.items()
        if not low <= (value := getattr(settings, name)) <= high
    ]
    if faults:
        raise InputError("; ".join(faults))


def _check_features(wh: Warehouse, saes: Sequence[str], features: Sequence[int]) -> None:
    """Refuse features that no test can be asked about."""
    faults = []
    for sae in saes if features else ():
        for feature in features:
            rows = wh.con.execute(_KNOWN, {"sae": sae, "feature": feature}).fetchall()
            n_features, scale = rows[0]
            if not 0 <= feature < n_features:
                faults.append(f"{sae} has no feature {feature}: it has {n_features:,}, from 0")
            elif not scale:
                faults.append(f"feature {feature} of {sae} is dead: it is active on no residue")
    if faults:
        raise NotThereError(faults_message(str(wh.path), faults, "leave them out"))


def _is_current(wh: Warehouse, sae: str, settings: Settings) -> bool:
    """Whether what is kept is made from what is there now, with the same settings."""
    made_with = wh.con.execute(_MADE_WITH, {"sae": sae}).fetchall()
    return made_with == [tuple(asdict(settings).values())] and derived.is_current(wh, TABLE, sae)


def _n_structures(wh: Warehouse, sae: str) -> int:
    file = sqlfile.load(steps.FOLDER, "tested_structures")
    return int(wh.sql(file.sql, {"sae": sae}).num_rows)


def _measure(wh: Warehouse, saes: Sequence[str], settings: Settings) -> dict[str, tuple[str, Measured]]:
    """Measure SAEs; returns of each the state of what it was measured on, too."""
    found: dict[str, tuple[str, Measured]] = {}
    blocks = {sae: steps.tested_structures(wh.con, sae) for sae in saes}
    if without := [sae for sae, of in blocks.items() if not of]:
        raise NotThereError(
            f"no protein that {' or '.join(without)} has encoded has a structure; add some with: interplm-wh "
            "add structures"
        )
    total = 2 * sum(map(len, blocks.values()))
    with progress.track("comparing contacts and neighbours", total=total, unit="blocks") as bar:
        for sae in saes:
            steps.tested_structures(wh.con, sae)
            state = derived.recipe(wh.con, TABLE, sae)
            found[sae] = state, steps.measure(wh.con, sae, settings, blocks[sae], bar)
    return found


def _keep(root: Path, measured: Mapping[str, tuple[str, Measured]], settings: Settings) -> None:
    kept = {"saes": list(measured), **asdict(settings)}
    with store.write(root, command="structure", settings=kept, wait_seconds=LAST_WAIT_SECONDS) as tx:
        for sae, (state, of) in measured.items():
            _put(tx, sae, state, of, settings)
        tx.publish()


def _put(tx: Transaction, sae: str, state: str, measured: Measured, settings: Settings) -> None:
    """Put what was measured in the place of what was measured before."""
    if derived.recipe(tx.con, TABLE, sae) != state:
        raise InputError(
            f"{sae}: the warehouse was changed while its features were tested; nothing was recorded; test "
            "them once more"
        )
    given = {"feature_counts": measured.counts, "weighed_differences": measured.differences}
    for name, table in given.items():
        tx.con.register("given", table)
        tx.con.execute(f"create or replace temp table {quote_identifier(name)} as from given")
        tx.con.unregister("given")
    derived.lay(tx.con, steps.FOLDER, ["feature_tests"], {})
    file = sqlfile.load(steps.FOLDER, TABLE)
    folder = tx.new_folder(TABLE, sae=sae)
    tx.write_query(folder, file.sql, file.bind({"sae": sae, **asdict(settings)}))
    tx.replace(TABLE, [folder], sae=sae, fingerprint=state)
