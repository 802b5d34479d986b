"""The section `train` of a pipeline: SAEs that are trained before anything is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from interplm_wh.pipeline.section import Section
from interplm_wh.sae.options import ERRORS, INPUT_NORMS
from interplm_wh.train.plan import PRECISIONS, SOURCES, TrainingPlan
from interplm_wh.train.recipe import Ramp, SaeRecipe

_DEFAULTS = TrainingPlan(name="", plm="", saes=(), steps=1)
_RECIPE = SaeRecipe(name="", architecture="", layer=0, n_features=1, learning_rate=Ramp(0.0))


def read(
    folder: Path, section: Section, *, stem: str, plm: str | None, layers: Sequence[int]
) -> TrainingPlan:
    """Read the section; faults are noted in it.

    Parameters
    ----------
    folder : Path
        Of the pipeline's file, where relative paths start.
    section : Section
    stem : str
        Name of the training where the section has none.
    plm : str or None
        The pipeline's.
    layers : sequence of int
        The pipeline's: an SAE without a layer stands for one per entry.
    """
    files = tuple(str((folder / Path(name).expanduser()).resolve()) for name in section.texts("files"))
    steps = section.integer("steps", low=1)
    if steps is None and "steps" not in section:
        section.fault("steps", "is needed")
    plan = TrainingPlan(
        name=section.text("name") or stem,
        plm=plm or "",
        saes=tuple(one for part in section.sections("saes") for one in _saes(part, layers)),
        steps=steps or 1,
        batch=section.integer("batch", low=1) or _DEFAULTS.batch,
        splits=section.texts("splits"),
        files=files,
        max_length=section.integer("max_length", low=1),
        source=section.choice("from", SOURCES) or _DEFAULTS.source,
        buffer=section.integer("buffer", low=1) or _DEFAULTS.buffer,
        seed=section.integer("seed", low=0) or _DEFAULTS.seed,
        precision=section.choice("precision", PRECISIONS) or _DEFAULTS.precision,
        log_every=section.integer("log_every", low=1) or _DEFAULTS.log_every,
        checkpoint_every=section.integer("checkpoint_every", low=1) or _DEFAULTS.checkpoint_every,
        wandb=section.text("wandb"),
    )
    if plm is None:
        section.faults.append("train: plm is needed at the top; give a hub id or a folder")
    section.finish()
    return plan


def _saes(section: Section, layers: Sequence[int]) -> list[SaeRecipe]:
    """Read one entry, which stands for one SAE per layer."""
    layer = section.integer("layer", low=0)
    own = (layer,) if layer is not None else tuple(layers)
    if not own and "layer" not in section:
        section.fault("layer", "is needed, here or as layers at the top")
    name, architecture = section.text("name"), section.text("architecture")
    n_features = section.integer("n_features", low=1)
    learning_rate = _ramp(section, "lr")
    for key, value in (
        ("name", name), ("architecture", architecture), ("n_features", n_features), ("lr", learning_rate)
    ):  # fmt: skip
        if value is None and key not in section:
            section.fault(key, "is needed")
    if name and len(own) > 1 and "{layer}" not in name:
        section.fault("name", f"{name!r} would name {len(own)} SAEs; write {{layer}} where the layer goes")
    recipe = SaeRecipe(
        name=name or "",
        architecture=architecture or "",
        layer=0,
        n_features=n_features or 1,
        learning_rate=learning_rate or Ramp(0.0),
        l1=_ramp(section, "l1"),
        target_l0=section.number("target_l0", low=0),
        l0=_ramp(section, "l0") or _RECIPE.l0,
        bandwidth=_or(section.number("bandwidth", low=0), _RECIPE.bandwidth),
        k=section.integer("k", low=1),
        groups=section.numbers("groups", low=0),
        auxk=_or(section.number("auxk", low=0), _RECIPE.auxk),
        input_norm=section.choice("input_norm", INPUT_NORMS) or _RECIPE.input_norm,
        error=section.choice("error", ERRORS) or _RECIPE.error,
        clip=_clip(section),
        unit_decoder=section.flag("unit_decoder", default=_RECIPE.unit_decoder),
        dead_after=section.integer("dead_after", low=1),
        resample_every=section.integer("resample_every", low=1),
        seed=section.integer("seed", low=0) or 0,
    )
    section.finish()
    return [_for_layer(recipe, one) for one in own]


def _for_layer(recipe: SaeRecipe, layer: int) -> SaeRecipe:
    return replace(recipe, layer=layer, name=recipe.name.replace("{layer}", str(layer)))


def _ramp(section: Section, key: str) -> Ramp | None:
    """Read KEY, KEY_warmup, KEY_decay_from and KEY_final."""
    peak = section.number(key, low=0)
    warmup = section.integer(f"{key}_warmup", low=0)
    decay_from = section.integer(f"{key}_decay_from", low=0)
    final = section.number(f"{key}_final", low=0)
    if peak is None:
        for part in ("warmup", "decay_from", "final"):
            if f"{key}_{part}" in section:
                section.fault(f"{key}_{part}", f"means nothing without {key}")
        return None
    return Ramp(peak, warmup or 0, decay_from, final or 0.0)


def _clip(section: Section) -> float | None:
    """Read the limit of the gradient; 0 takes it away."""
    found = section.number("clip", low=0)
    return _RECIPE.clip if found is None else found or None


def _or(found: float | None, default: float) -> float:
    return default if found is None else found
