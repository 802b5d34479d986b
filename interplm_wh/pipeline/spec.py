"""What a pipeline file says, checked as a whole before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from interplm_wh import names, resources
from interplm_wh.build.run import MAX_THRESHOLDS
from interplm_wh.controls.kinds import KINDS, Kind
from interplm_wh.errors import InputError, faults_message
from interplm_wh.pipeline import steering, training
from interplm_wh.pipeline.section import Section, read_yaml
from interplm_wh.pipeline.steering import Steering
from interplm_wh.train.plan import TrainingPlan

IDENTITY = "identity"
DEMO = "demo"
Dtype = Literal["float32", "bfloat16", "float16"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
_SUFFIXES = (".yaml", ".yml")
_MAX_DEMO = 1_000_000


@dataclass(frozen=True)
class DemoProteins:
    """Proteins from the demo's generator."""

    n: int
    seed: int


@dataclass(frozen=True)
class Proteins:
    """Where proteins come from: `files`, a `uniprot` query, or the `demo` generator."""

    files: tuple[Path, ...]
    uniprot: str | None
    demo: DemoProteins | None
    sample: int | None
    seed: int
    max_length: int | None
    skip_bad: bool


@dataclass(frozen=True)
class Annotations:
    """One source of annotations; without `files` it is the export that the proteins came from."""

    files: tuple[Path, ...]
    source: str | None
    covers: str | None
    skip_bad: bool


@dataclass(frozen=True)
class Sae:
    """One SAE: `source` is a hub id, an absolute path, or `identity`."""

    name: str
    source: str
    layer: int
    file: str | None
    revision: str | None
    force: bool
    k: int | None = None


@dataclass(frozen=True)
class Encoding:
    """Options of `encode`; None is its default."""

    dtype: Dtype
    device: str | None
    min_value: float | None
    token_budget: int | None


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline.

    Attributes
    ----------
    path : Path
        Its file.
    what : str
        One line of description.
    seed : int
        Seed of a warehouse that is made anew.
    plm : str or None
        Hub id or absolute path of a folder.
    train : TrainingPlan or None
        What is trained before anything is encoded.
    thresholds : tuple of float
        Empty where the warehouse's own are kept; so are None in the three after it.
    controls : tuple of Kind
        The controls that are made of every SAE.
    score : bool
        Whether pairs are weighed at the end.
    steer : tuple of Steering
        What is steered after that.
    """

    path: Path
    what: str
    seed: int
    proteins: Proteins | None
    annotations: tuple[Annotations, ...]
    plm: str | None
    train: TrainingPlan | None
    saes: tuple[Sae, ...]
    encoding: Encoding
    thresholds: tuple[float, ...]
    min_residues: int | None
    min_domains: int | None
    presence: float | None
    controls: tuple[Kind, ...] = ()
    score: bool = False
    steer: tuple[Steering, ...] = ()

    @property
    def controlled(self) -> list[str]:
        """The SAEs that get controls: all but the neurons themselves."""
        neurons = {sae.name for sae in self.saes if sae.source == IDENTITY}
        return [name for name in self.sae_names if name not in neurons] if self.controls else []

    @property
    def sae_names(self) -> list[str]:
        """The SAEs that are encoded, those that are trained first."""
        trained = [sae.name for sae in self.train.saes] if self.train is not None else []
        return [*trained, *(sae.name for sae in self.saes)]


def find(pipeline: str | Path) -> Path:
    """Return the file of a pipeline: a path, or the name of one that comes with the package.

    Raises
    ------
    InputError
        If there is none.
    """
    text = str(pipeline)
    if isinstance(pipeline, Path) or text.endswith(_SUFFIXES) or "/" in text:
        path = Path(text).expanduser()
        if not path.is_file():
            raise InputError(f"there is no pipeline file {path}; give a YAML file that exists")
        return path.resolve()
    known = {path.stem: path for path in sorted(resources.folder("pipelines").glob("*.yaml"))}
    if text not in known:
        near = names.nearest(text, known)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(known)};"
        raise InputError(f"there is no pipeline named {text!r}; {hint} a file ends in .yaml")
    return known[text]


def load(pipeline: str | Path) -> Pipeline:
    """Read and check a pipeline.

    Raises
    ------
    InputError
        With every fault of the file.
    """
    path = find(pipeline)
    faults: list[str] = []
    top = Section(read_yaml(path), "", faults)
    spec = _pipeline(path, top)
    top.finish()
    if faults:
        raise InputError(faults_message(str(path), faults, "mend these keys and run it again"))
    return spec


def _pipeline(path: Path, top: Section) -> Pipeline:
    plm = top.text("plm")
    layers = top.integers("layers", low=0)
    section = top.section("proteins")
    proteins = _proteins(path.parent, section) if "proteins" in top else None
    place = None if plm is None else _place(path.parent, plm, demo="plm")
    plan = _training(path, top, place, layers)
    trained = [sae.name for sae in plan.saes] if plan is not None else []
    saes = _saes(path.parent, top, layers, taken=trained)
    if saes and plm is None and not top.faults:
        top.fault("plm", "is needed for saes; give a hub id or a folder")
    return Pipeline(
        path=path,
        what=top.text("what") or "",
        seed=top.integer("seed", low=0) or 0,
        proteins=proteins,
        annotations=_annotations(path.parent, top, proteins),
        plm=place,
        train=plan,
        saes=saes,
        encoding=_encoding(top.section("encode")),
        thresholds=_thresholds(top),
        min_residues=top.integer("min_residues", low=0),
        min_domains=top.integer("min_domains", low=0),
        presence=top.number("presence", low=0),
        controls=_controls(top, saes, trained),
        score=top.flag("score"),
        steer=tuple(
            steering.read(section, saes=[*trained, *(sae.name for sae in saes)])
            for section in top.sections("steer")
        ),
    )


def _proteins(folder: Path, section: Section) -> Proteins:
    demo = section.section("demo")
    n, seed = demo.integer("n", low=1), demo.integer("seed", low=0)
    demo.finish()
    if "demo" in section and n is None:
        demo.fault("n", "is needed: how many proteins to generate")
    if n is not None and n > _MAX_DEMO:
        demo.fault("n", f"expected at most {_MAX_DEMO:,}, found {n:,}")
    found = Proteins(
        files=_files(folder, section),
        uniprot=section.text("uniprot"),
        demo=None if n is None else DemoProteins(n, seed or 0),
        sample=section.integer("sample", low=1),
        seed=section.integer("seed", low=0) or 0,
        max_length=section.integer("max_length", low=1),
        skip_bad=section.flag("skip_bad"),
    )
    if sum(key in section for key in ("files", "uniprot", "demo")) != 1:
        section.faults.append("proteins: give exactly one of files, uniprot and demo")
    section.finish()
    return found


def _files(folder: Path, section: Section) -> tuple[Path, ...]:
    """Read `files`, relative to the pipeline's folder, and name those that are not there."""
    found = tuple((folder / Path(name).expanduser()).resolve() for name in section.texts("files"))
    for path in found:
        if not path.is_file():
            section.fault("files", f"there is no file {path}")
    return found


def _annotations(folder: Path, top: Section, proteins: Proteins | None) -> tuple[Annotations, ...]:
    found: list[Annotations] = []
    for section in top.sections("annotations"):
        origin = section.choice("from", ("proteins",))
        files, covers = _files(folder, section), section.text("covers")
        if (origin is None) == ("files" not in section):
            section.faults.append(f"{section.where}: give either files, or from: proteins")
        if origin is not None and proteins is None:
            section.fault("from", "the file has no proteins to take annotations from")
        found.append(
            Annotations(
                files=files,
                source=section.text("source"),
                covers=covers if covers in (None, "all", "listed") else str(folder / covers),
                skip_bad=section.flag("skip_bad"),
            )
        )
        section.finish()
    return tuple(found)


def _training(path: Path, top: Section, plm: str | None, layers: Sequence[int]) -> TrainingPlan | None:
    section = top.section("train")
    if "train" not in top:
        return None
    return training.read(path.parent, section, stem=path.stem, plm=plm, layers=layers)


def _saes(folder: Path, top: Section, layers: Sequence[int], *, taken: Sequence[str]) -> tuple[Sae, ...]:
    """Read the SAEs; one without a layer stands for one per entry of `layers`."""
    found: list[Sae] = []
    for section in top.sections("saes"):
        name, source = section.text("name"), section.text("source")
        layer = section.integer("layer", low=0)
        file, revision, force = section.text("file"), section.text("revision"), section.flag("force")
        k = section.integer("k", low=1)
        section.finish()
        for key, value in (("name", name), ("source", source)):
            if value is None and key not in section:
                section.fault(key, "is needed")
        own = (layer,) if layer is not None else layers
        if not own and "layer" not in section:
            section.fault("layer", "is needed, here or as layers at the top")
        if name and len(own) > 1 and "{layer}" not in name:
            section.fault(
                "name", f"{name!r} would name {len(own)} SAEs; write {{layer}} where the layer goes"
            )
        if name and source:
            place = _place(folder, source, demo="sae")
            found += [
                Sae(name.replace("{layer}", str(one)), place, one, file, revision, force, k) for one in own
            ]
    _check_names(top, [*taken, *(sae.name for sae in found)])
    return tuple(found)


def _check_names(top: Section, given: Sequence[str]) -> None:
    taken: list[str] = []
    for name in given:
        try:
            names.check_sae_name(name, taken)
        except InputError as error:
            top.fault("saes", str(error))
        if name in taken:
            top.fault("saes", f"the name {name!r} stands twice; names are unique")
        taken.append(name)


def _controls(top: Section, saes: Sequence[Sae], trained: Sequence[str]) -> tuple[Kind, ...]:
    found = top.words("controls", KINDS)
    models = [sae.name for sae in saes if sae.source != IDENTITY]
    if found and not models and not trained and not top.faults:
        top.fault("controls", "there is no SAE that they would be controls of")
    return found


def _thresholds(top: Section) -> tuple[float, ...]:
    found = top.numbers("thresholds", low=0)
    if len(set(found)) < len(found) or len(found) > MAX_THRESHOLDS:
        top.fault("thresholds", f"expected at most {MAX_THRESHOLDS} different numbers")
    return found


def _encoding(section: Section) -> Encoding:
    found = Encoding(
        dtype=section.choice("dtype", DTYPES) or "float32",
        device=section.text("device"),
        min_value=section.number("min_value", low=0),
        token_budget=section.integer("token_budget", low=1),
    )
    section.finish()
    return found


def _place(folder: Path, source: str, *, demo: Literal["plm", "sae"]) -> str:
    """Return `identity` and hub ids as they are, `demo` as the shipped model, paths made absolute."""
    if source == IDENTITY:
        return source
    if source == DEMO:
        from interplm_wh.demo import assets

        return str(assets(demo))
    path = Path(source).expanduser()
    is_path = source.startswith((".", "/", "~")) or source.count("/") > 1 or (folder / path).exists()
    return str((folder / path).resolve()) if is_path else source
