"""The control of a shuffled PLM: an SAE of the same recipe, trained on weights that mean nothing."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from interplm_wh.encode import models
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.plm.shuffle import shuffle
from interplm_wh.store import Warehouse, layout, lock
from interplm_wh.train import Ramp, SaeRecipe, TrainingPlan, train
from interplm_wh.train.card import CARD

log = logging.getLogger(__name__)
_RUNS = "select settings from runs where command = 'train' order by finished desc, run_id"


@dataclass(frozen=True)
class Recipe:
    """How an SAE was trained: the whole plan, and its own part of it."""

    plan: TrainingPlan
    recipe: SaeRecipe


def recipe_of(wh: Warehouse, sae: Mapping[str, Any], pipeline: str | Path | None) -> Recipe:
    """Return how an SAE was trained: as recorded, or as a pipeline says.

    Raises
    ------
    InputError
        If it was not trained here and no pipeline is given, or the pipeline trains no such SAE.
    """
    if pipeline is not None:
        return _from_pipeline(sae, pipeline)
    name = sae["sae"]
    if str(sae["source"]).startswith("training:"):
        for row in wh.sql(_RUNS).to_pylist():
            settings = json.loads(row["settings"])
            for raw in settings["saes"]:
                if raw["name"] == name and settings["name"] == sae["source"].removeprefix("training:"):
                    return Recipe(_plan(settings), _recipe(raw))
    raise InputError(
        f"{name} was not trained in this warehouse (it comes from {sae['source']}), so that the recipe of "
        "its training is missing; give a pipeline whose section train has it: --recipe PIPELINE.yaml"
    )


def make(
    wh: Warehouse,
    sae: Mapping[str, Any],
    found: Recipe,
    *,
    name: str,
    seed: int,
    device: str | None,
) -> list[str]:
    """Train the control, or go on with it, and register it; returns what there is to say."""
    root = wh.path
    folder = shuffled_folder(wh, sae["plm"], seed=seed)
    plan = replace(
        found.plan,
        name=name,
        plm=str(folder),
        saes=(replace(found.recipe, name=name, layer=sae["layer"]),),
        wandb=None,
    )
    if differs := _other_proteins(wh, sae["sae"], plan):
        log.warning("%s", differs)
    dtype = _card(root, sae["sae"]).get("plm_dtype", "float32")
    return train(root, plan, device=device, dtype=dtype, control_of=sae["sae"]).lines()[:-1]


def shuffled_folder(wh: Warehouse, plm: str, *, seed: int) -> Path:
    """Return the folder of a PLM's shuffled copy in the warehouse, made where it is not there."""
    root, row = wh.path, models.plm_row(wh, plm)
    if row is None:
        raise NotThereError(f"there is no PLM {plm!r} in {root}; add an SAE of it first")
    folder = root / layout.PLMS / f"{plm}-shuffled-{seed}"
    folder.parent.mkdir(exist_ok=True)
    with lock.hold(folder.parent / layout.LOCK, "controls", wait_seconds=3600):
        for left in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if not folder.is_dir():
            shuffle(models.source_of(root, row), folder, seed=seed, revision=row.revision)
    return folder


def _from_pipeline(sae: Mapping[str, Any], pipeline: str | Path) -> Recipe:
    from interplm_wh.pipeline.spec import load

    spec = load(pipeline)
    if spec.train is None:
        raise InputError(f"{spec.path}: has no section train; say in it how {sae['sae']} was trained")
    named = [one for one in spec.train.saes if one.name == sae["sae"]]
    alike = [one for one in spec.train.saes if _faults(one, sae) == []]
    chosen = named or alike
    if len(chosen) != 1:
        raise InputError(
            f"{spec.path}: {len(chosen)} of its SAEs are of {sae['architecture']}, layer {sae['layer']} and "
            f"{sae['n_features']:,} features as {sae['sae']}; give it that name in the file"
        )
    if faults := _faults(chosen[0], sae):
        raise InputError(
            f"{spec.path}: {sae['sae']} is another one there: {', '.join(faults)}; a control has the "
            "recipe of its SAE: give the pipeline that trained these very weights, or leave the shuffled one "
            "out with --kind neurons --kind amino_acid --kind position"
        )
    return Recipe(spec.train, chosen[0])


def _faults(recipe: SaeRecipe, sae: Mapping[str, Any]) -> list[str]:
    keys = ("architecture", "layer", "n_features", "k", "input_norm")
    return [
        f"{key} {getattr(recipe, key)}, not {sae[key]}" for key in keys if getattr(recipe, key) != sae[key]
    ]


def _plan(settings: Mapping[str, Any]) -> TrainingPlan:
    """Read a plan back from the record of its run."""
    given: dict[str, Any] = {
        key: tuple(raw) if isinstance(raw, list) else raw for key, raw in settings.items()
    }
    given["saes"] = tuple(_recipe(raw) for raw in settings["saes"])
    return TrainingPlan(**given)


def _recipe(raw: Mapping[str, Any]) -> SaeRecipe:
    ramps = {key: Ramp(**raw[key]) for key in ("learning_rate", "l1", "l0") if raw[key] is not None}
    return SaeRecipe(**{**raw, "groups": tuple(raw["groups"]), **ramps})


def _card(root: Path, sae: str) -> dict[str, Any]:
    path = models.sae_folder(root, sae) / CARD
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _other_proteins(wh: Warehouse, sae: str, plan: TrainingPlan) -> str | None:
    """Say that the control learns from other proteins than the SAE did; None where they are the same."""
    from interplm_wh.train.data import read_sequences

    known: str = _card(wh.path, sae).get("data", {}).get("sequences_sha256", "")
    if not known or read_sequences(wh, plan).fingerprint == known:
        return None
    return (
        f"{plan.name}: the proteins that {sae} learnt from are not all those that are there now; the control "
        "learns from those that are"
    )
