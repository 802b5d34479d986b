"""What is to be encoded, and in which pieces: the same for every worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from interplm_wh import hub
from interplm_wh.encode.encoder import Settings
from interplm_wh.encode.shard import Shard


@dataclass(frozen=True)
class Job:
    """What is to be encoded.

    Attributes
    ----------
    root : Path
        The warehouse.
    saes : tuple of str
    settings : Settings
    like : str or None
        Only proteins that this SAE has encoded.
    shard : Shard
        Of which blocks.
    n_threads : int or None
        Threads of each worker, on which the last bits of a result depend; None: as it is set up.
    """

    root: Path
    saes: tuple[str, ...]
    settings: Settings
    like: str | None
    shard: Shard
    n_threads: int | None = None

    def with_threads(self) -> Job:
        """Return the same for other processes, each with as many threads as this one."""
        with hub.extra_needed():
            import torch
        return replace(self, n_threads=torch.get_num_threads())

    def set_threads(self) -> None:
        """Give this process the threads of the job."""
        if self.n_threads is not None:
            with hub.extra_needed():
                import torch
            torch.set_num_threads(self.n_threads)

    def on(self, device: str | None) -> Job:
        """Return the same on another device."""
        return replace(self, settings=replace(self.settings, device=device))

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({**asdict(self), "root": str(self.root)})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Return the job of `to_json`."""
        told = json.loads(text)
        settings, shard = Settings(**told["settings"]), Shard(**told["shard"])
        root, saes = Path(told["root"]), tuple(told["saes"])
        return cls(root, saes, settings, told["like"], shard, told["n_threads"])

    def said(self) -> Mapping[str, object]:
        """Return what `runs` keeps of it."""
        share = {} if self.shard.count == 1 else {"shard": str(self.shard)}
        return {"saes": list(self.saes), **asdict(self.settings), **share}


@dataclass(frozen=True)
class Unit:
    """What is handed to a worker at a time: one block of proteins for one PLM.

    Attributes
    ----------
    plm : str
    block : int
    n_residues : int
        Left to encode, counted once for each group of SAEs that lack other proteins of the block.
    """

    plm: str
    block: int
    n_residues: int
