"""Which steps of a pipeline a warehouse has behind it already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from interplm_wh import __version__, hub, store
from interplm_wh.pipeline.spec import IDENTITY, Annotations, Sae
from interplm_wh.store import layout
from interplm_wh.store.files import sha256

_RUNS = "select command, settings, fingerprints, package_version from runs order by finished desc, run_id"
_CHANGES_WHAT_IS_COVERED = ("add proteins", "remove proteins", "remove source")


def is_warehouse(path: str | Path) -> bool:
    """Whether there is a warehouse at a path."""
    return (Path(path) / layout.CATALOGUE).is_file()


def annotations_are_loaded(warehouse: str | Path, annotations: Annotations, files: Sequence[Path]) -> bool:
    """Whether the newest load of a source read these very files in the same way.

    Proteins that were added or removed since make it old, since it may cover them.
    """
    if annotations.covers not in (None, "all", "listed") or not all(path.is_file() for path in files):
        return False
    with store.open(warehouse) as wh:
        runs = wh.sql(_RUNS).to_pylist()
    for run in runs:
        if run["command"] in _CHANGES_WHAT_IS_COVERED:
            return False
        if run["command"] == "add annotations" and _is_load_of(run, annotations, files):
            fingerprints = {path.name: sha256(path) for path in files}
            same = json.loads(run["fingerprints"]) == fingerprints and len(fingerprints) == len(files)
            return same and run["package_version"] == __version__
    return False


def _is_load_of(run: dict[str, Any], annotations: Annotations, files: Sequence[Path]) -> bool:
    settings = json.loads(run["settings"])
    return (
        settings["files"] == [path.name for path in files]
        and settings["skip_bad"] == annotations.skip_bad
        and annotations.source in (None, settings["source"])
        and annotations.covers in (None, settings["covers"])
    )


def sae_is_added(warehouse: str | Path, sae: Sae, plm: str) -> bool:
    """Whether an SAE whose source cannot have changed unseen is registered as the pipeline has it.

    Files on this machine are read again, since their content may be another one by now.
    """
    if sae.source != IDENTITY and hub.is_local(sae.source):
        return False
    with store.open(warehouse) as wh:
        rows = wh.sql(
            "select p.source as plm from saes as s inner join plms as p on s.plm = p.plm where s.sae = ?",
            [sae.name],
        ).to_pylist()
        identity = wh.path / layout.SAES / sae.name / "sae.yaml"
    if not rows or rows[0]["plm"] != plm or not identity.is_file():
        return False
    known = yaml.safe_load(identity.read_text(encoding="utf-8"))
    return (
        (known["source"], known["layer"], known["file"]) == (sae.source, sae.layer, sae.file)
        and sae.revision in (None, known["revision"])
        and sae.k in (None, known["k"])
    )  # fmt: skip
