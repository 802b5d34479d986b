"""Writing an SAE of a warehouse in the format of another tool."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interplm_wh import hub, store
from interplm_wh.errors import InputError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from interplm_wh.store import Warehouse

Form = Literal["saelens", "interplm"]
_READERS = {"saelens": "SAELens", "interplm": "InterPLM"}
_OURS = {"cfg.json", "sae_weights.safetensors", "ae.pt", "ae_normalized.pt", "config.yaml"}
"""Files of any export: a folder that holds others is never replaced."""


@dataclass(frozen=True)
class ExportReport:
    """What `export_sae` wrote.

    Attributes
    ----------
    sae : str
    form : str
    folder : Path
    files : tuple of str
    notes : tuple of str
        What was changed on the way, without a change of activations.
    """

    sae: str
    form: Form
    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """Describe it for people."""
        head = f"{self.sae}: written for {_READERS[self.form]} to {self.folder}: {', '.join(self.files)}"
        return [head, *(f"  {note}" for note in self.notes)]


def export_sae(
    warehouse: str | Path,
    name: str,
    *,
    form: Form,
    output: str | Path,
    normalised: bool = False,
    force: bool = False,
) -> ExportReport:
    """Write an SAE as another tool reads it.

    Parameters
    ----------
    warehouse : str or Path
    name : str
        The SAE.
    form : {'saelens', 'interplm'}
        What is to read it.
    output : str or Path
        Folder that is made; it appears whole or not at all.
    normalised : bool
        Bake the warehouse's scale into the weights, as InterPLM's published files have it.
    force : bool
        Replace an export that is there; a folder that holds anything else never is.

    Raises
    ------
    NotThereError
        If there is no such SAE.
    InputError
        If its activations were made elsewhere, or the folder may not be written.
    ModelError
        If the tool has no such architecture or normalisation.
    """
    folder = Path(output).expanduser().absolute()
    _check_folder(folder, force=force)
    if normalised and form != "interplm":
        raise InputError("--normalised: only files for InterPLM have the scale baked in; leave it out")
    with store.open(warehouse) as wh:
        files, notes = _files(wh, name, form, is_baked=normalised)
    _write(folder, files)
    return ExportReport(name, form, folder, tuple(files), tuple(notes))


def _files(wh: Warehouse, name: str, form: Form, *, is_baked: bool) -> tuple[dict[str, bytes], list[str]]:
    from interplm_wh.encode.models import sae_folder, sae_rows

    (row,) = sae_rows(wh, [name])
    with hub.extra_needed():
        from interplm_wh.sae.formats import to_interplm, to_saelens
        from interplm_wh.sae.saved import load_saved
    saved = load_saved(sae_folder(wh.path, name))
    try:
        if form == "interplm":
            return to_interplm.write(saved.sae.weights, scale=_scale(wh, name), is_baked=is_baked)
        about = {"model_name": _source(wh, row.plm), "hidden_state": row.layer}
        return to_saelens.write(saved.sae.weights, about=about)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error


def _source(wh: Warehouse, plm: str) -> str:
    """Return the hub id of a PLM, or its name where it is a folder of this machine."""
    (source,) = wh.sql("select source from plms where plm = ?", [plm])["source"].to_pylist()
    return plm if hub.is_local(source) else str(source)


def _scale(wh: Warehouse, name: str) -> Tensor | None:
    """Return the scale of the last build, [n_features]; None where there is none."""
    import torch

    rows = wh.sql("select max_activation from features where sae = ? order by feature", [name])
    return torch.tensor(rows["max_activation"].to_pylist()) if rows.num_rows else None


def _check_folder(folder: Path, *, force: bool) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise InputError(f"{folder}: is there and no folder; give another with --output")
    there = {path.name for path in folder.iterdir()}
    if there - _OURS:
        raise InputError(f"{folder}: holds files of other origin; give a folder of its own with --output")
    if there and not force:
        raise InputError(
            f"{folder}: is there already; give another with --output, or replace it with --force"
        )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder whole under another name first, so that nobody sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (folder.with_name(f".{folder.name}.{uuid.uuid4().hex}") for _ in range(2))
    fresh.mkdir()
    try:
        for name, content in files.items():
            with (fresh / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
