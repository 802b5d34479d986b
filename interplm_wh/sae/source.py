"""Which file of a folder or repository is meant, by the layouts of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from interplm_wh.errors import ModelError
from interplm_wh.sae.formats import FORMATS, Place
from interplm_wh.sae.formats.config import NAMES
from interplm_wh.sae.formats.inspection import listed

_WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
_MOST_FILES = 20_000


def check_name(file: str) -> str:
    """Return the name of a file within a source, refusing one that leads out of it.

    Raises
    ------
    ModelError
    """
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or not path.parts:
        raise ModelError(f"--file {file!r}: leads out of the source; give a path within it")
    return path.as_posix()


def local_files(folder: Path) -> list[str]:
    """Return the paths of the files below a folder that may be weights.

    Raises
    ------
    ModelError
        If there are too many to be a folder of SAEs.
    """
    found: list[str] = []
    for n, path in enumerate(folder.rglob("*")):
        if n > _MOST_FILES:
            raise ModelError(f"{folder}: holds more than {_MOST_FILES:,} files; give the folder of the SAE")
        if path.suffix in _WEIGHTS and path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return found


def choose(files: Sequence[str], *, source: str, layer: int | None, file: str | None) -> str:
    """Return the path of the one file that is meant.

    Parameters
    ----------
    files : sequence of str
        Paths in the source.
    source : str
        Named in errors.
    layer : int, optional
        Hidden state: files that are named for another are left out.
    file : str, optional
        Path in the source, or within the folder ``layer_{layer}``; or the folder to look in.

    Raises
    ------
    ModelError
        If there is none, or more than one.
    """
    weights = [name for name in files if PurePosixPath(name).suffix in _WEIGHTS and _is_inside(name)]
    if file is None:
        return _one(weights, source, layer)
    wanted = check_name(file)
    for name in (wanted, f"layer_{layer}/{wanted}"):
        if name in weights:
            return name
    below = [name for name in weights if name.startswith(f"{wanted}/")]
    if not below:
        raise ModelError(f"{source}: has no such file or folder as {wanted}; it holds {listed(weights)}")
    return _one(below, source, layer)


def companions(files: Sequence[str], name: str) -> list[str]:
    """Return the configurations that belong to a file of weights."""
    folder = PurePosixPath(name).parent
    folders = [folder, folder.parent] if folder.name == "checkpoints" else [folder]
    wanted = [(place / config).as_posix() for place in folders for config in NAMES]
    return [path for path in wanted if path in files]


def _is_inside(name: str) -> bool:
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts


def _places(names: Sequence[str]) -> dict[str, Place]:
    """Return what the layouts say of the files that are of one."""
    found: dict[str, Place] = {}
    for name in names:
        places = [place for form in FORMATS if (place := form.place(PurePosixPath(name))) is not None]
        if places:
            found[name] = min(places, key=lambda place: place.rank)
    return found


def _one(names: Sequence[str], source: str, layer: int | None) -> str:
    places = _places(names)
    fitting = [name for name, place in places.items() if place.layer == layer]
    if layer is None:
        fitting = list(places)
    elif not fitting:
        fitting = [name for name, place in places.items() if place.layer is None]
    best = _best_of_folders(fitting, places)
    if len(best) == 1:
        return best[0]
    if best:
        step = (
            "give the layer, or the one that is meant with --file"
            if layer is None
            else "give one with --file"
        )
        raise ModelError(f"{source}: holds several SAEs that fit: {listed(best)}; {step}")
    layers = sorted({place.layer for place in places.values() if place.layer is not None})
    if layers:
        known = ", ".join(map(str, layers))
        raise ModelError(f"{source}: holds no such file as an SAE of layer {layer}; there are layers {known}")
    raise ModelError(
        f"{source}: holds none of {_LAYOUTS}; it holds {listed(names)}; name the file with --file"
    )


_LAYOUTS = (
    "ae_normalized.pt, ae.pt, ae_unnormalized.pt, trainer_N/ae.pt, esm2_plmN_lN_saeN.safetensors, "
    "sae_weights.safetensors, sae.safetensors, layer_N.safetensors"
)


def _best_of_folders(names: Sequence[str], places: dict[str, Place]) -> list[str]:
    """Return the file of the lowest rank of each folder; files of one rank there stay apart."""
    lowest: dict[str, int] = {}
    for name in names:
        folder = PurePosixPath(name).parent.as_posix()
        lowest[folder] = min(lowest.get(folder, places[name].rank), places[name].rank)
    return [n for n in names if places[n].rank == lowest[PurePosixPath(n).parent.as_posix()]]
