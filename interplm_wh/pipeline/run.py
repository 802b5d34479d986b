"""Run a pipeline: one public function after the other, each of which does nothing where all is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from interplm_wh import hub, store
from interplm_wh.controls.kinds import KINDS
from interplm_wh.errors import InputError
from interplm_wh.pipeline import done, sources
from interplm_wh.pipeline.spec import Annotations, Pipeline, Proteins, Sae, load
from interplm_wh.pipeline.steering import Steering


@dataclass(frozen=True)
class Step:
    """One step that was taken, or, in a dry run, would be: its name and what there is to say."""

    name: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class PipelineReport:
    """What a pipeline did.

    Attributes
    ----------
    pipeline : Path
        Its file.
    warehouse : Path
    is_dry_run : bool
        Whether nothing was done.
    steps : tuple of Step
        In the order of the work.
    """

    pipeline: Path
    warehouse: Path
    is_dry_run: bool
    steps: tuple[Step, ...]

    def lines(self) -> list[str]:
        """Describe it for people."""
        said: list[str] = []
        for step in self.steps:
            said += [step.name, *(f"  {line}".rstrip() for line in step.said)]
        if self.is_dry_run:
            said.append("dry run: nothing was changed")
        return said


Until = Literal["train"]
_Call = Callable[[], Sequence[str]]


def run_pipeline(
    pipeline: str | Path,
    warehouse: str | Path,
    *,
    dry_run: bool = False,
    until: Until | None = None,
    restart: bool = False,
) -> PipelineReport:
    """Run a pipeline, or go on with it where an earlier run stopped.

    Parameters
    ----------
    pipeline : str or Path
        A YAML file, or the name of a pipeline that comes with the package. Relative paths in it
        start from its folder.
    warehouse : str or Path
        Made where there is none.
    dry_run : bool
        Say what would be done, and change nothing.
    until : {'train'}, optional
        Stop after this step.
    restart : bool
        Forget what an interrupted training has done.

    Raises
    ------
    InputError
        With every fault of the file; and as the commands that it runs.
    """
    spec = load(pipeline)
    if until == "train" and spec.train is None:
        raise InputError(f"{spec.path}: has no section train; say in it what is to be trained")
    if spec.train is not None:
        with hub.extra_needed():
            spec.train.check()
    if dry_run:
        from interplm_wh.pipeline.preview import preview

        found = tuple(Step(name, tuple(said)) for name, said in preview(spec, warehouse))
        return PipelineReport(spec.path, Path(warehouse).resolve(), True, found)
    console = Console(stderr=True)
    calls = _calls(spec, warehouse, restart=restart)
    if until is not None:
        calls = calls[: 1 + [name for name, _ in calls].index(until)]
    steps: list[Step] = []
    for number, (name, call) in enumerate(calls, start=1):
        console.print(f"[{number}/{len(calls)}] {name}", markup=False, highlight=False)
        steps.append(Step(name, tuple(call())))
    return PipelineReport(spec.path, Path(warehouse).resolve(), False, tuple(steps))


def _calls(spec: Pipeline, warehouse: str | Path, *, restart: bool) -> list[tuple[str, _Call]]:
    """Return the steps of a pipeline by name, in the order of the work."""
    calls: list[tuple[str, _Call]] = [("warehouse", lambda: _init(spec, warehouse))]
    if spec.proteins is not None:
        proteins = spec.proteins
        calls.append(("add proteins", lambda: _add_proteins(proteins, warehouse)))
    if spec.train is not None:
        calls.append(("train", lambda: _train(spec, warehouse, restart=restart)))
    for source in spec.annotations:
        calls.append(("add annotations", lambda one=source: _add_annotations(spec, one, warehouse)))  # type: ignore[misc]
    for sae in spec.saes:
        calls.append((f"add sae {sae.name}", lambda one=sae: _add_sae(spec, one, warehouse)))  # type: ignore[misc]
    if spec.sae_names:
        calls += [
            ("encode", lambda: _encode(spec, warehouse)),
            ("build", lambda: _build(spec, warehouse)),
        ]
        for name in spec.controlled:
            calls.append((f"controls {name}", lambda one=name: _controls(spec, one, warehouse)))  # type: ignore[misc]
        if spec.score:
            calls.append(("score", lambda: _score(warehouse)))
        for steering in spec.steer:
            calls.append((f"steer {steering.sae}", lambda one=steering: _steer(spec, one, warehouse)))  # type: ignore[misc]
        calls.append(("report", lambda: _report(spec, warehouse)))
    return calls


def _train(spec: Pipeline, warehouse: str | Path, *, restart: bool) -> list[str]:
    from interplm_wh.train import train

    if spec.train is None:
        return []
    return train(warehouse, spec.train, device=spec.encoding.device, dtype=spec.encoding.dtype).lines()


def _init(spec: Pipeline, warehouse: str | Path) -> list[str]:
    if done.is_warehouse(warehouse):
        return [f"{Path(warehouse).resolve()} is there"]
    return [f"made {store.init(warehouse, seed=spec.seed)}"]


def _add_proteins(proteins: Proteins, warehouse: str | Path) -> list[str]:
    from interplm_wh.ingest.proteins import add_proteins

    if proteins.demo is not None:
        files: tuple[Path, ...] = (sources.generate_demo(proteins.demo, warehouse),)
    else:
        files = proteins.files
    return add_proteins(
        warehouse,
        files,
        uniprot=proteins.uniprot,
        sample=proteins.sample,
        seed=proteins.seed,
        max_length=proteins.max_length,
        skip_bad=proteins.skip_bad,
    ).lines()


def _add_annotations(spec: Pipeline, annotations: Annotations, warehouse: str | Path) -> list[str]:
    from interplm_wh.ingest.annotations import add_annotations

    files = sources.annotation_files(spec, annotations, warehouse)
    if done.annotations_are_loaded(warehouse, annotations, files):
        return ["the same files are loaded already"]
    return add_annotations(
        warehouse,
        files,
        source=annotations.source,
        covers=annotations.covers,
        skip_bad=annotations.skip_bad,
    ).lines()


def _add_sae(spec: Pipeline, sae: Sae, warehouse: str | Path) -> list[str]:
    from interplm_wh.sae import add_sae

    plm = str(spec.plm)
    if done.sae_is_added(warehouse, sae, plm):
        return [f"{sae.name} is there already"]
    return add_sae(
        warehouse,
        sae.source,
        name=sae.name,
        plm=plm,
        layer=sae.layer,
        file=sae.file,
        k=sae.k,
        revision=sae.revision,
        device=spec.encoding.device,
        force=sae.force,
    ).lines()


def _encode(spec: Pipeline, warehouse: str | Path) -> list[str]:
    from interplm_wh.encode import encode

    options = spec.encoding
    return encode(
        warehouse,
        spec.sae_names,
        dtype=options.dtype,
        device=options.device,
        min_value=options.min_value,
        token_budget=options.token_budget,
    ).lines()


def _build(spec: Pipeline, warehouse: str | Path) -> list[str]:
    from interplm_wh.build import build

    return build(
        warehouse,
        thresholds=spec.thresholds or None,
        min_residues=spec.min_residues,
        min_domains=spec.min_domains,
        presence=spec.presence,
    ).lines()


def _score(warehouse: str | Path) -> list[str]:
    from interplm_wh.evidence import score, unweighed

    saes = unweighed(warehouse)
    return score(warehouse, saes).lines() if saes else ["all pairs that can be tested are weighed already"]


def _steer(spec: Pipeline, steering: Steering, warehouse: str | Path) -> list[str]:
    from interplm_wh.steer import steer

    return steer(
        warehouse,
        steering.sae,
        features=steering.features,
        features_sql=steering.features_sql,
        clamp=steering.clamp,
        scale=steering.scale,
        proteins=steering.proteins,
        sequence=steering.sequence,
        positions=steering.positions,
        mask=steering.mask,
        watch=steering.watch,
        n_controls=steering.n_controls,
        read=steering.read,
        n_samples=steering.n_samples,
        n_sweeps=steering.n_sweeps,
        temperature=steering.temperature,
        resample=steering.resample,
        seed=steering.seed,
        device=spec.encoding.device,
        dtype=spec.encoding.dtype,
        skip_done=True,
    ).lines()


def _controls(spec: Pipeline, sae: str, warehouse: str | Path) -> list[str]:
    from interplm_wh.controls.run import controls

    kinds = () if spec.controls == KINDS else spec.controls  # of all, what cannot be made is left out
    return controls(warehouse, sae, kinds, device=spec.encoding.device).lines()


def _report(spec: Pipeline, warehouse: str | Path) -> list[str]:
    from interplm_wh.ask import report

    return [line for name in spec.sae_names for line in report(warehouse, sae=name).lines()]
