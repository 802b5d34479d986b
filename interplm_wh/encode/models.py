"""Opening the models that a warehouse has registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interplm_wh import hub, names
from interplm_wh.controls.kinds import RULES, TITLES
from interplm_wh.errors import InputError, MismatchError, NotThereError
from interplm_wh.store import Warehouse, layout

if TYPE_CHECKING:
    from interplm_wh.plm.base import PLM
    from interplm_wh.sae.base import SAE

EXTERNAL = "external"


@dataclass(frozen=True)
class SaeRow:
    """What `saes` says of one SAE that is to be applied."""

    sae: str
    plm: str
    layer: int
    architecture: str
    sha256: str
    min_value: float
    is_forced: bool


@dataclass(frozen=True)
class PlmRow:
    """What `plms` says of one PLM."""

    plm: str
    source: str
    revision: str | None
    d_model: int


def rules_among(warehouse: Warehouse, saes: Sequence[str]) -> dict[str, str]:
    """Return those of some SAEs that are controls made from residues, each with its role."""
    rows = warehouse.sql("select sae, architecture from saes").to_pylist()
    made = {row["sae"]: row["architecture"] for row in rows if row["architecture"] in RULES}
    return {name: made[name] for name in dict.fromkeys(saes) if name in made}


def sae_rows(warehouse: Warehouse, saes: Sequence[str]) -> list[SaeRow]:
    """Look SAEs up, each once, in the order given.

    Raises
    ------
    NotThereError
        If there is no such SAE; the nearest name is given.
    InputError
        If its activations were made elsewhere, so that there is nothing to apply.
    """
    known = {row["sae"]: row for row in warehouse.sql("select * from saes").to_pylist()}
    found: list[SaeRow] = []
    for name in dict.fromkeys(saes):
        if name not in known:
            near = names.nearest(name, known)
            hint = f"did you mean {near}?" if near else "add it with: interplm-wh add sae"
            raise NotThereError(f"there is no SAE {name!r} in {warehouse.path}; {hint}")
        row = known[name]
        if row["architecture"] in RULES:
            raise InputError(
                f"{name}: a control made from residues ({TITLES[row['role']]}); there is no model to apply, "
                "choose an SAE or its neurons"
            )
        if row["plm"] is None or row["sha256"] is None:
            raise InputError(f"{name}: its activations were made elsewhere; add more with: add activations")
        found.append(
            SaeRow(
                name,
                row["plm"],
                row["layer"],
                row["architecture"],
                row["sha256"],
                row["min_value"],
                row["is_forced"],
            )
        )
    return found


def plm_row(warehouse: Warehouse, plm: str) -> PlmRow | None:
    """Look a PLM up by its slug; None where it is not registered."""
    rows = warehouse.sql("select plm, source, revision, d_model from plms where plm = ?", [plm]).to_pylist()
    return PlmRow(**rows[0]) if rows else None


def open_plm(warehouse: Warehouse, plm: str, *, device: str | None, dtype: str) -> PLM:
    """Load a registered PLM in the revision that was registered.

    Raises
    ------
    NotThereError
        If it is not registered.
    """
    from interplm_wh.plm import load_plm

    row = plm_row(warehouse, plm)
    if row is None:
        raise NotThereError(f"there is no PLM {plm!r} in {warehouse.path}; add an SAE of it first")
    return load_plm(source_of(warehouse.path, row), revision=row.revision, device=device, dtype=dtype)


def source_of(root: Path, row: PlmRow) -> str:
    """Return what a PLM is loaded from: the folder that the warehouse keeps itself, where it does."""
    own = root / layout.PLMS / row.plm
    return str(own) if own.is_dir() else row.source


def open_source(warehouse: Warehouse, plm: str, *, device: str | None = None, dtype: str = "float32") -> PLM:
    """Load a PLM by its source, or by the name that it is registered under; a registered one in its revision.

    Raises
    ------
    MismatchError
        If another PLM is registered under the name that the source would get.
    """
    from interplm_wh.plm import load_plm, plm_slug

    named = plm_row(warehouse, plm) if not hub.is_local(plm) else None
    if named is not None:
        return load_plm(source_of(warehouse.path, named), revision=named.revision, device=device, dtype=dtype)
    known = plm_row(warehouse, plm_slug(plm))
    if known is None:
        return load_plm(plm, device=device, dtype=dtype)
    if known.source == plm:
        return load_plm(plm, revision=known.revision, device=device, dtype=dtype)
    model = load_plm(plm, device=device, dtype=dtype)
    if model.revision != known.revision or known.revision is None:
        raise MismatchError(
            f"{plm}: another PLM is registered as {known.plm} (from {known.source}); rename the folder"
        )
    return model


def open_sae(warehouse: Warehouse, row: SaeRow, *, plm: PLM) -> SAE:
    """Load a registered SAE onto the device of its PLM.

    Raises
    ------
    MismatchError
        If the weights in the warehouse are not the ones that the catalogue names.
    """
    with hub.extra_needed():
        from interplm_wh.sae.saved import load_saved

    saved = load_saved(sae_folder(warehouse.path, row.sae))
    if saved.identity.sha256 != row.sha256:
        raise MismatchError(
            f"{row.sae}: its folder in {warehouse.path / layout.SAES} holds another SAE than the catalogue "
            "names; remove it and add it again"
        )
    return saved.sae.to(plm.device)


def sae_folder(root: Path, sae: str) -> Path:
    """Return where the weights of an SAE are kept."""
    return root / layout.SAES / sae
