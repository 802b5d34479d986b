"""The section `steer` of a pipeline: what is steered once everything is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from interplm_wh.pipeline.section import Section


@dataclass(frozen=True)
class Steering:
    """One entry; attributes are the arguments of `steer`, with its defaults where the file has none."""

    sae: str
    features: tuple[int, ...]
    features_sql: str | None
    clamp: tuple[float, ...]
    scale: tuple[float, ...]
    proteins: tuple[str, ...]
    sequence: str | None
    positions: str | None
    mask: str
    watch: str | None
    n_controls: int
    read: tuple[str, ...]
    n_samples: int
    n_sweeps: int
    temperature: float
    resample: str | None
    seed: int


def read(section: Section, *, saes: Sequence[str]) -> Steering:
    """Read one entry; faults are noted in it.

    Parameters
    ----------
    section : Section
    saes : sequence of str
        Those of the pipeline.
    """
    sae = section.choice("sae", saes)
    if "sae" not in section:
        section.fault("sae", "is needed")
    controls, temperature = section.integer("controls", low=0), section.number("temperature", low=0)
    found = Steering(
        sae=sae or "",
        features=section.integers("features", low=0),
        features_sql=section.text("feature_sql"),
        clamp=section.numbers("clamp", low=-math.inf),
        scale=section.numbers("scale", low=-math.inf),
        proteins=section.texts("proteins"),
        sequence=section.text("sequence"),
        positions=section.text("positions"),
        mask=section.text("mask") or "all",
        watch=section.text("watch"),
        n_controls=100 if controls is None else controls,
        read=section.texts("read"),
        n_samples=section.integer("sample", low=0) or 0,
        n_sweeps=section.integer("sweeps", low=1) or 1,
        temperature=1.0 if temperature is None else temperature,
        resample=section.text("resample"),
        seed=section.integer("seed", low=0) or 0,
    )
    _require_one(section, "features", "feature_sql")
    _require_one(section, "clamp", "scale")
    _require_one(section, "proteins", "sequence")
    for name in found.read:
        if name not in saes:
            section.fault("read", f"{name!r} is no SAE of this file")
    section.finish()
    return found


def _require_one(section: Section, first: str, second: str) -> None:
    if (first in section) == (second in section):
        section.faults.append(f"{section.where}: give exactly one of {first} and {second}")
