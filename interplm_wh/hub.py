"""Where model files come from: a local path, or a repository on the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from interplm_wh.errors import ModelError

EXTRA = "pip install 'interplm-wh[plm]'"
_BLOCK = 1 << 20
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Fetched:
    """A file or folder on this machine and the revision that it has.

    Attributes
    ----------
    path : Path
    revision : str or None
        Commit on the hub; ``sha256:…`` of the files of a local folder; None for a local file.
    """

    path: Path
    revision: str | None


@contextmanager
def extra_needed() -> Iterator[None]:
    """Turn an import that fails for want of the extra `plm` into an error that says so."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModelError(
            f"models need the package {error.name}, which is not installed; run {EXTRA}"
        ) from error


def is_local(source: str) -> bool:
    """Whether a source is meant as a path: it exists, or is written as a path."""
    return Path(source).expanduser().exists() or source.startswith((".", "/", "~")) or source.count("/") > 1


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def folder_revision(folder: Path, patterns: Sequence[str]) -> str:
    """Return ``sha256:`` and 16 digits that change with any file of a folder that matches."""
    digest = hashlib.sha256()
    for path in sorted({p for pattern in patterns for p in folder.glob(pattern)}):
        digest.update(f"{path.name}:{file_sha256(path)}\n".encode())
    return f"sha256:{digest.hexdigest()[:16]}"


def _asked(call: Callable[[], Answer], what: str, revision: str | None) -> Answer:
    """Run one call to the hub, turning its errors into ModelError with the next step."""
    from httpx2 import HTTPError
    from huggingface_hub import errors

    at = f"{what} (revision {revision})" if revision else what
    try:
        return call()
    except errors.GatedRepoError as error:
        step = "accept its terms on the hub, then run `hf auth login`"
        raise ModelError(f"{at}: the repository is gated; {step}") from error
    except errors.RepositoryNotFoundError as error:
        step = "check the spelling; a private one needs `hf auth login`; a local folder is given as ./folder"
        raise ModelError(f"{at}: there is no such repository on the hub; {step}") from error
    except errors.RevisionNotFoundError as error:
        step = "give a branch, tag or commit that the repository has"
        raise ModelError(f"{at}: the repository has no such revision; {step}") from error
    except errors.LocalEntryNotFoundError as error:
        step = "check the spelling and the network, or download it elsewhere and give the local folder"
        raise ModelError(
            f"{at}: not a folder or file here, the hub cannot be reached, and its cache has no copy; {step}"
        ) from error
    except errors.EntryNotFoundError as error:
        raise ModelError(f"{at}: the repository has no such file; look at its files on the hub") from error
    except errors.HFValidationError as error:
        step = "give a hub id such as facebook/esm2_t6_8M_UR50D, or a folder that exists"
        raise ModelError(f"{at}: neither a local path nor a hub id; {step}") from error
    except (HTTPError, OSError) as error:
        raise ModelError(
            f"{at}: the download failed ({error}); try again, finished files are kept"
        ) from error


def list_files(repository: str, *, revision: str | None = None) -> list[str]:
    """Return the paths of the files of a hub repository.

    Where the hub cannot be reached they are those of its copy in the cache, as for what is downloaded.

    Raises
    ------
    ModelError
        If the repository or revision does not exist, is gated, or there is no copy of it either.
    """
    with extra_needed():
        from httpx2 import HTTPError
        from huggingface_hub import HfApi, errors

    def ask() -> list[str]:
        try:
            return list(HfApi().list_repo_files(repository, revision=revision))
        except errors.HfHubHTTPError:
            raise
        except (errors.OfflineModeIsEnabled, HTTPError):
            return _cached(repository, revision)

    return _asked(ask, repository, revision)


def cached_files(repository: str, *, revision: str | None = None) -> list[str]:
    """Return the paths of the files of a repository that are in the hub's cache; asks nobody."""
    with extra_needed():
        from huggingface_hub import errors
    try:
        return _cached(repository, revision)
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return []


def _cached(repository: str, revision: str | None) -> list[str]:
    from huggingface_hub import snapshot_download

    nothing = [""]  # complete is then whatever there is
    folder = Path(
        snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=nothing)
    )
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def fetch_files(repository: str, names: Sequence[str], *, revision: str | None = None) -> Fetched:
    """Download files of one commit of a hub repository, in this order; returns the last.

    Raises
    ------
    ModelError
        As `fetch_file`; or if the repository changed meanwhile.
    """
    found = [fetch_file(repository, name, revision=revision) for name in names]
    if len({one.revision for one in found}) > 1:
        raise ModelError(f"{repository}: was changed while it was downloaded; run it again")
    return found[-1]


def fetch_folder(repository: str, patterns: Sequence[str], *, revision: str | None = None) -> Fetched:
    """Download the files of a hub repository that match, or take them from the hub's cache.

    Raises
    ------
    ModelError
        If the repository or revision does not exist, is gated, or cannot be reached.
    """
    with extra_needed():
        from huggingface_hub import snapshot_download
    folder = _asked(
        lambda: snapshot_download(repository, revision=revision, allow_patterns=list(patterns)),
        repository,
        revision,
    )
    return Fetched(Path(folder), Path(folder).name)


def fetch_file(repository: str, name: str, *, revision: str | None = None) -> Fetched:
    """Download one file of a hub repository, or take it from the hub's cache.

    Raises
    ------
    ModelError
        If the repository, revision or file does not exist, is gated, or cannot be reached.
    """
    with extra_needed():
        from huggingface_hub import hf_hub_download
    what = f"{repository}: {name}"
    path = Path(_asked(lambda: hf_hub_download(repository, name, revision=revision), what, revision))
    depth = len(Path(name).parts)
    return Fetched(path, path.parents[depth - 1].name)
