"""Make the controls of an SAE: register, encode, build, and count what is laid side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interplm_wh import names, store
from interplm_wh.build import build
from interplm_wh.controls import pairs, residues, shuffled
from interplm_wh.controls.kinds import KINDS, RULES, TITLES, Kind, default_name
from interplm_wh.encode import encode, models
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.sae import add_sae
from interplm_wh.store import Transaction, Warehouse

_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class ControlsReport:
    """What `controls` did.

    Attributes
    ----------
    sae : str
    controls : dict of str to str
        Name of the control by its role.
    said : tuple of str
        What was done, line by line.
    left_out : dict of str to str
        Why a kind could not be made, by the kind; only where all kinds were asked for.
    """

    sae: str
    controls: dict[str, str]
    said: tuple[str, ...]
    left_out: Mapping[Kind, str]

    def lines(self) -> list[str]:
        """Describe it for people."""
        return [
            *self.said,
            *(f"{kind} is left out: {why}" for kind, why in self.left_out.items()),
            f"lay them side by side with: interplm-wh compare --controls {self.sae}",
        ]


def controls(
    warehouse: str | Path,
    sae: str,
    kinds: Sequence[str] = (),
    *,
    seed: int = 0,
    recipe: str | Path | None = None,
    device: str | None = None,
) -> ControlsReport:
    """Make the controls of an SAE that are missing, over the proteins that it has encoded.

    Each step does nothing where it is done already, so that what was cut off goes on from there.

    Parameters
    ----------
    warehouse : str or Path
    sae : str
    kinds : sequence of {'neurons', 'shuffled', 'amino_acid', 'position'}
        By default all; then one that cannot be made is left out and named.
    seed : int
        Of the permutations of the shuffled PLM.
    recipe : str or Path, optional
        Pipeline whose section `train` says how an SAE that was not trained here was trained.
    device : str, optional

    Raises
    ------
    NotThereError
        If there is no such SAE, or it has encoded nothing.
    InputError
        If it is a control itself, a name is taken, or a kind that was asked for cannot be made.
    """
    wanted = _kinds(kinds)
    with store.open(warehouse, own_macros=True) as wh:
        root, row, dtype = wh.path, _row(wh, sae), _dtype(wh, sae)
        why_not = {kind: why for kind in wanted if (why := _why_not(wh, row, kind, recipe))}
        if kinds and why_not:
            raise InputError("; ".join(why_not.values()))
        todo = [kind for kind in wanted if kind not in why_not]
        _check_names(wh, row, todo)
    said = _make_rules(root, sae, [kind for kind in todo if kind in RULES])
    found = dict(_existing(root, sae))
    if "neurons" in todo:
        found["neurons"] = _neurons(root, row, found.get("neurons"), device=device)
        said += encode(root, [found["neurons"]], dtype=dtype, device=device, like=sae).lines()[:1]
    if "shuffled" in todo:
        said += _shuffled(root, row, found.get("shuffled"), seed=seed, recipe=recipe, device=device)
        name = dict(_existing(root, sae))["shuffled"]
        floor = _floor(root, name, row["min_value"])
        said += encode(root, [name], dtype=dtype, device=device, min_value=floor, like=sae).lines()[:1]
    said += build(root).lines()[1:]
    found = dict(_existing(root, sae))
    if counted := pairs.count_pairs(root, [sae, *found.values()]):
        said.append(f"pairs counted under the scale of valid alone: {', '.join(counted)}")
    return ControlsReport(sae, found, tuple(said), why_not)


def _kinds(kinds: Sequence[str]) -> list[Kind]:
    for kind in kinds:
        if kind not in KINDS:
            near = names.nearest(kind, KINDS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(KINDS)}"
            raise InputError(f"there is no control of the kind {kind!r}; {hint}")
    return [kind for kind in KINDS if not kinds or kind in kinds]


def _row(wh: Warehouse, sae: str) -> dict[str, Any]:
    rows = {row["sae"]: row for row in wh.sql("from saes").to_pylist()}
    if sae not in rows:
        near = names.nearest(sae, rows)
        hint = f"did you mean {near}?" if near else "add it with: interplm-wh add sae"
        raise NotThereError(f"there is no SAE {sae!r} in {wh.path}; {hint}")
    row: dict[str, Any] = rows[sae]
    if row["role"] != "sae":
        raise InputError(f"{sae} is itself a control ({TITLES[row['role']]}); name an SAE")
    return row


def _dtype(wh: Warehouse, sae: str) -> str:
    """Return the number format that the PLM had for most proteins of an SAE."""
    rows = wh.sql(
        "select dtype from encodings where sae = ? group by dtype order by count(*) desc, dtype limit 1",
        [sae],
    ).to_pylist()
    if not rows:
        raise NotThereError(f"{sae} has encoded no protein; run: interplm-wh encode --sae {sae}")
    return str(rows[0]["dtype"])


def _why_not(wh: Warehouse, row: dict[str, Any], kind: Kind, recipe: str | Path | None) -> str | None:
    """Say why a control cannot be made; None where it can, or is there."""
    if kind in RULES or kind in dict(_existing_in(wh, row["sae"])):
        return None
    if row["plm"] is None:
        return f"{row['sae']}: its activations were made elsewhere, and {TITLES[kind]} need its PLM and layer"
    if kind == "shuffled":
        try:
            shuffled.recipe_of(wh, row, recipe)
        except InputError as error:
            if recipe is not None:
                raise
            return str(error)
    return None


def _check_names(wh: Warehouse, row: dict[str, Any], kinds: Sequence[Kind]) -> None:
    """Refuse names that are taken, before anything is done."""
    there = dict(_existing_in(wh, row["sae"]))
    rows = {one["sae"]: one for one in wh.sql("from saes").to_pylist()}
    for kind in kinds:
        name = default_name(row["sae"], kind)
        if kind in there:
            continue
        names.check_sae_name(name, rows)
        if name in rows and (rows[name]["role"], rows[name]["control_of"]) != (kind, None):
            raise InputError(
                f"the name {name} of the control is taken by another SAE; remove that first: "
                f"interplm-wh remove sae {name}"
            )


def _existing_in(wh: Warehouse, sae: str) -> list[tuple[str, str]]:
    rows = wh.sql("select role, control from sae_controls where sae = ? order by role", [sae]).to_pylist()
    return [(row["role"], row["control"]) for row in rows]


def _existing(root: Path, sae: str) -> list[tuple[str, str]]:
    """Return role and name of the controls that stand beside an SAE."""
    with store.open(root, own_macros=True) as wh:
        return _existing_in(wh, sae)


def _make_rules(root: Path, sae: str, kinds: Sequence[Kind]) -> list[str]:
    """Register and encode the controls that are made from residues, all at once."""
    said: list[str] = []
    if not kinds:
        return said
    settings = {"sae": sae, "kinds": list(kinds)}
    with store.write(root, command="controls", settings=settings, wait_seconds=_WAIT_SECONDS) as tx:
        is_changed = False
        for kind in kinds:
            name, is_new = _claim(tx, sae, kind)
            taken = residues.take_in(tx, name, kind, like=sae)
            is_changed |= is_new or taken.n_proteins > 0
            said.append(
                f"{name}: {taken.n_proteins:,} proteins, {taken.n_activations:,} activations; "
                f"{taken.n_present:,} proteins were there"
            )
        if is_changed:
            tx.publish()
    return said


def _claim(tx: Transaction, sae: str, kind: Kind) -> tuple[str, bool]:
    """Return the name of a control made from residues, registered now where it was not, and if it was."""
    known = dict(tx.con.execute("select role, control from sae_controls where sae = ?", [sae]).fetchall())
    if kind in known:
        return str(known[kind]), False
    name = default_name(sae, kind)
    if tx.con.execute("from saes where sae = ?", [name]).fetchall():
        _adopt(tx, name, sae)
    else:
        residues.register(tx, name, kind, control_of=sae)
    return name, True


def _adopt(tx: Transaction, control: str, sae: str) -> None:
    """Make a control that belongs to no SAE the one of this SAE."""
    tx.con.execute("update saes set control_of = ? where sae = ? and control_of is null", [sae, control])


def _neurons(root: Path, row: dict[str, Any], known: str | None, *, device: str | None) -> str:
    """Return the raw neurons of an SAE's layer, which serve every SAE of it; added where there are none."""
    name = known or default_name(row["sae"], "neurons")
    if known is None:
        with store.open(root, own_macros=True) as wh:
            plm = models.plm_row(wh, row["plm"])
            assert plm is not None
            source = models.source_of(root, plm)
        add_sae(root, "identity", name=name, plm=source, layer=row["layer"], device=device)
    with store.write(
        root, command="controls", settings={"sae": row["sae"], "control": name}, wait_seconds=_WAIT_SECONDS
    ) as tx:
        if tx.con.execute("from saes where sae = ? and control_of is null", [name]).fetchall():
            _adopt(tx, name, row["sae"])
            tx.publish()
    return name


def _shuffled(
    root: Path,
    row: dict[str, Any],
    known: str | None,
    *,
    seed: int,
    recipe: str | Path | None,
    device: str | None,
) -> list[str]:
    if known is not None:
        return [] if recipe is None else [f"{known} is there already; {recipe} is not used"]
    name = default_name(row["sae"], "shuffled")
    with store.open(root, own_macros=True) as wh:
        found = shuffled.recipe_of(wh, row, recipe)
        said = shuffled.make(wh, row, found, name=name, seed=seed, device=device)
    settings = {"sae": row["sae"], "control": name}
    with store.write(root, command="controls", settings=settings, wait_seconds=_WAIT_SECONDS) as tx:
        if tx.con.execute("from saes where sae = ? and control_of is null", [name]).fetchall():
            _adopt(tx, name, row["sae"])
            tx.publish()
    return said


def _floor(root: Path, control: str, min_value: float) -> float | None:
    """Return the smallest value that is dropped: as the SAE's at first, later as it was."""
    with store.open(root, own_macros=True) as wh:
        is_begun = bool(wh.sql("from encodings where sae = ? limit 1", [control]).num_rows)
    return None if is_begun else min_value
