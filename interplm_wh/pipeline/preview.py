"""What a pipeline would do to a warehouse, without changing either."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interplm_wh import hub, store
from interplm_wh.pipeline import done, sources
from interplm_wh.pipeline.spec import IDENTITY, Annotations, Pipeline, Proteins, Sae
from interplm_wh.sae.load import is_cached
from interplm_wh.train.plan import TrainingPlan

Preview = list[tuple[str, list[str]]]


@dataclass(frozen=True)
class _State:
    """What a warehouse holds.

    Attributes
    ----------
    lengths : mapping of str to int
        Residues per accession.
    encoded : mapping of str to set of str
        Accessions that each SAE has encoded; SAEs that are registered are keys.
    """

    is_there: bool
    lengths: Mapping[str, int]
    encoded: Mapping[str, set[str]]


def preview(spec: Pipeline, warehouse: str | Path) -> Preview:
    """Return the steps of a pipeline by name, each with what it would do.

    Proteins of files and of the generator are read into a warehouse in the temporary folder, which
    is removed; nothing is downloaded.
    """
    state = _state(warehouse)
    known = "is there" if state.is_there else "would be made"
    found: Preview = [("warehouse", [f"{Path(warehouse).resolve()} {known}{_held(state)}"])]
    coming: Mapping[str, int] | None = {}
    if spec.proteins is not None:
        coming = _read_proteins(spec.proteins, warehouse)
        found.append(("add proteins", _proteins_lines(spec.proteins, state, coming)))
    if spec.train is not None:
        found.append(("train", [_train_line(spec.train, state)]))
    for source in spec.annotations:
        found.append(("add annotations", [_annotations_line(spec, source, warehouse, state)]))
    if spec.plm is not None and spec.sae_names:
        found.append(("PLM", [_model_line(spec.plm, "config.json", None)]))
    for sae in spec.saes:
        found.append((f"add sae {sae.name}", [_sae_line(spec, sae, warehouse, state)]))
    if spec.sae_names:
        found.append(("encode", [_encode_line(name, state, coming) for name in spec.sae_names]))
        found.append(("build", [_build_line(spec)]))
        for name in spec.controlled:
            found.append((f"controls {name}", [f"{', '.join(spec.controls)}: what is missing would be made"]))
        if spec.score:
            found.append(("score", ["pairs that were not weighed would be"]))
        for one in spec.steer:
            what = one.sequence or ", ".join(one.proteins)
            found.append((f"steer {one.sae}", [f"{what}: steered where that was not done"]))
    return found


def _state(warehouse: str | Path) -> _State:
    if not done.is_warehouse(warehouse):
        return _State(False, {}, {})
    with store.open(warehouse) as wh:
        lengths = _lengths(wh)
        encoded: dict[str, set[str]] = {
            sae: set() for sae in wh.sql("select sae from saes")["sae"].to_pylist()
        }
        rows = wh.sql("select sae, accession from encodings inner join proteins using (protein_id)")
        for row in rows.to_pylist():
            encoded[row["sae"]].add(row["accession"])
    return _State(True, lengths, encoded)


def _lengths(wh: store.Warehouse) -> dict[str, int]:
    rows = wh.sql("select accession, length from proteins")
    return dict(zip(rows["accession"].to_pylist(), rows["length"].to_pylist(), strict=True))


def _read_proteins(proteins: Proteins, warehouse: str | Path) -> dict[str, int] | None:
    """Return residues per accession of what the pipeline would add; None where it is not here yet."""
    from interplm_wh.ingest.proteins import add_proteins

    with tempfile.TemporaryDirectory(prefix="interplm-wh-") as folder:
        scratch, files = Path(folder) / "warehouse", sources.protein_files(proteins, warehouse)
        if proteins.demo is not None and not files[0].is_file():
            files = (sources.write_demo(proteins.demo, Path(folder) / files[0].name),)
        if not all(path.is_file() for path in files):
            return None
        store.init(scratch)
        add_proteins(
            scratch, files, sample=proteins.sample, seed=proteins.seed, max_length=proteins.max_length,
            skip_bad=proteins.skip_bad,
        )  # fmt: skip
        with store.open(scratch) as wh:
            return _lengths(wh)


def _proteins_lines(proteins: Proteins, state: _State, coming: Mapping[str, int] | None) -> list[str]:
    if coming is None:
        most = "" if proteins.sample is None else f", of which {proteins.sample:,} would be drawn"
        return [f"UniProt's answer to {proteins.uniprot!r} would be downloaded{most}"]
    new = {name: length for name, length in coming.items() if name not in state.lengths}
    return [f"{_amount(new)} would be added; {len(coming) - len(new):,} of {len(coming):,} are there already"]


def _annotations_line(spec: Pipeline, annotations: Annotations, warehouse: str | Path, state: _State) -> str:
    files = sources.annotation_files(spec, annotations, warehouse)
    if state.is_there and done.annotations_are_loaded(warehouse, annotations, files):
        return "the same files are loaded already"
    if not annotations.files:
        return "those of the export that the proteins come from would be loaded"
    return f"{', '.join(path.name for path in files)} would be loaded"


def _model_line(source: str, file: str, revision: str | None) -> str:
    if hub.is_local(source):
        missing = "" if Path(source).exists() else ", which is not there"
        return f"{source}, on this machine{missing}"
    with hub.extra_needed():
        from huggingface_hub import try_to_load_from_cache
    path = try_to_load_from_cache(source, file, revision=revision)
    place = "in the cache of the hub" if isinstance(path, str) else "would be downloaded from the hub"
    return f"{source}, {place}"


def _sae_line(spec: Pipeline, sae: Sae, warehouse: str | Path, state: _State) -> str:
    if sae.name in state.encoded:
        is_same = done.sae_is_added(warehouse, sae, str(spec.plm))
        return f"is there already{'' if is_same else '; its source would be compared with it'}"
    if sae.source == IDENTITY:
        return f"the neurons of layer {sae.layer} would be registered"
    if hub.is_local(sae.source):
        return f"layer {sae.layer}: {_model_line(sae.source, '', None)}"
    here = is_cached(sae.source, layer=sae.layer, file=sae.file, revision=sae.revision)
    place = "in the cache of the hub" if here else "would be downloaded from the hub"
    return f"layer {sae.layer}: {sae.source}, {place}"


def _train_line(plan: TrainingPlan, state: _State) -> str:
    named = ", ".join(sae.name for sae in plan.saes)
    if all(sae.name in state.encoded for sae in plan.saes):
        return f"{named}: there already; the plan would be compared with theirs"
    return f"{named} would be trained: {plan.steps:,} steps of {plan.batch:,} residues"


def _encode_line(name: str, state: _State, coming: Mapping[str, int] | None) -> str:
    behind = state.encoded.get(name, set())
    every = {**state.lengths, **(coming or {})}
    left = {accession: n for accession, n in every.items() if accession not in behind}
    if coming is None:
        said = f"{_amount(left)}, and what is downloaded," if left else "what is downloaded"
        return f"{name}: {said} would be encoded"
    return f"{name}: {_amount(left)} would be encoded"


def _build_line(spec: Pipeline) -> str:
    given = {
        "thresholds": " ".join(f"{t:g}" for t in spec.thresholds) or None,
        "min_residues": spec.min_residues,
        "min_domains": spec.min_domains,
        "presence": spec.presence,
    }
    named = ", ".join(f"{key} {value}" for key, value in given.items() if value is not None)
    return f"the tables that are out of date would be made{f', with {named}' if named else ''}"


def _held(state: _State) -> str:
    return f", with {_amount(state.lengths)}" if state.is_there else ""


def _amount(lengths: Mapping[str, int]) -> str:
    return f"{len(lengths):,} proteins ({sum(lengths.values()):,} residues)"
