"""A repository of data sets on the Hugging Face hub, one commit of it, by the hub's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from interplm_wh.errors import DownloadError, InterplmError, ModelError
from interplm_wh.hub import extra_needed
from interplm_wh.remote.address import Address
from interplm_wh.remote.http_place import HttpPlace
from interplm_wh.remote.place import EXTRA, Sent, refused, unreachable

KIND = "dataset"
_PER_COMMIT = 100
_STEP = "log in with `hf auth login`, or set $HF_TOKEN to a token that may {what} it"


class HubPlace(HttpPlace):
    """A repository as a place; what is read is of the commit that was the newest when it was opened.

    A writer reads what is the newest at each time.
    """

    def __init__(self, address: Address, *, writing: bool) -> None:
        try:
            with extra_needed():
                from huggingface_hub import HfApi, constants
        except ModelError as error:
            raise DownloadError(f"{address}: the hub needs its client; run {EXTRA}") from error
        self.address = address
        self._api = HfApi()
        self._repository = address.where
        self._writing = writing
        commit = self._commit()
        revision = "main" if writing else commit
        base = f"{constants.ENDPOINT}/datasets/{self._repository}/resolve/{revision}"
        super().__init__(address, base, self._api._build_hf_headers())

    def _commit(self) -> str:
        with self._explained():
            if self._writing:
                self._api.create_repo(self._repository, repo_type=KIND, exist_ok=True)
            return str(self._api.dataset_info(self._repository).sha)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from httpx2 import HTTPError
        from huggingface_hub import errors

        try:
            yield
        except errors.GatedRepoError as error:
            raise refused(self.address, "access is granted on request", "ask for it on the hub") from error
        except (errors.RepositoryNotFoundError, errors.EntryNotFoundError) as error:
            step = f"check the spelling; a private one is shown to those alone who {self._step()}"
            raise refused(self.address, "the hub shows no such repository of data sets", step) from error
        except errors.HfHubHTTPError as error:
            raise self._of_status(error) from error
        except errors.HFValidationError as error:
            raise refused(self.address, "this is no name of a repository", "give hf://ORG/NAME") from error
        except (errors.OfflineModeIsEnabled, HTTPError, OSError) as error:
            raise unreachable(self.address, error) from error
        except RuntimeError as error:  # of a thread that sends a file
            raise unreachable(self.address, error.__cause__ or error) from error

    def _of_status(self, error: Exception) -> InterplmError:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code in (401, 403):
            return refused(self.address, f"the hub refuses this ({code})", self._step())
        return unreachable(self.address, error)

    def _step(self) -> str:
        return _STEP.format(what="write to" if self._writing else "read")

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the sizes of those files that are there."""
        from huggingface_hub.hf_api import RepoFile

        found: dict[str, int] = {}
        with self._explained():
            for first in range(0, len(names), _PER_COMMIT):
                some = list(names[first : first + _PER_COMMIT])
                rows = self._api.get_paths_info(self._repository, some, repo_type=KIND)
                found |= {row.path: row.size for row in rows if isinstance(row, RepoFile)}
        return found

    def send(self, files: Sequence[Sent], advance: Callable[[int], None]) -> None:
        """Commit files, a hundred at a time."""
        from huggingface_hub import CommitOperationAdd

        for first in range(0, len(files), _PER_COMMIT):
            some = files[first : first + _PER_COMMIT]
            with self._explained(), _silent():
                self._api.create_commit(
                    self._repository,
                    [CommitOperationAdd(sent.name, str(sent.path)) for sent in some],
                    commit_message=f"interplm-wh: {len(some)} files of a warehouse",
                    repo_type=KIND,
                )
            for sent in some:
                advance(sent.path.stat().st_size)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the client's own bars away, which stand beside ours."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
