"""How a format's reader looks at a file: every fault is collected, so that all stand in one message."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

import torch
from torch import Tensor

from interplm_wh.errors import ModelError, faults_message
from interplm_wh.sae.base import tensor_faults
from interplm_wh.sae.formats.base import Checkpoint, Config


class Inspection:
    """Looks through one checkpoint and collects every fault, so that all stand in one message."""

    def __init__(self, found: Checkpoint, expected: str) -> None:
        self.found = found
        self.expected = expected
        self.faults: list[str] = []
        self.d_model = self.n_features = 0

    def tensors(self, needed: Mapping[str, str], optional: Mapping[str, str] | None = None) -> None:
        """Check that the needed tensors are there, no unknown one is, and that all fit each other.

        Parameters
        ----------
        needed, optional : mapping of str to str
            Axes of each: ``d`` for the width, ``F`` for features, ``G`` for any length.
        """
        axes = {**(optional or {}), **needed}
        there = self.found.tensors
        self.faults += [f"{name} is missing" for name in needed if name not in there]
        self.faults += [f"{name} is not a tensor of this format" for name in there if name not in axes]
        for name, letters in axes.items():
            if name in there and set(letters) == {"d", "F"} and there[name].ndim == 2 and not self.n_features:
                sizes = dict(zip(letters, there[name].shape, strict=True))
                self.d_model, self.n_features = sizes["d"], sizes["F"]
        if not self.d_model or not self.n_features:
            self.faults.append("no encoder of two dimensions, neither of them 0")
        known = {"d": self.d_model, "F": self.n_features}
        for name, letters in axes.items():
            if name in there:
                self.faults += tensor_faults(name, there[name], letters, known)

    def get(self, name: str) -> Tensor:
        """Return a tensor that was checked, float32."""
        return self.found.tensors[name].float()

    def stored_whole(self, name: str) -> int | None:
        """Return a whole number that is kept as a tensor []; None where it is absent."""
        tensor = self.found.tensors.get(name)
        if tensor is None or tensor.numel() != 1 or not bool(torch.isfinite(tensor.float())):
            return None  # of another shape or not finite: a fault that `tensors` names
        return int(tensor)

    def missing_config(self, names: Sequence[str], why: str) -> None:
        """Note that the configuration is needed and not there."""
        if not self.found.config:
            self.faults.append(f"{' or '.join(names)} is missing beside it: {why}")

    def whole(self, key: str, *, config: Config | None = None, low: int = 1) -> int | None:
        """Return a whole number of the configuration; None where it is absent."""
        value = (self.found.config if config is None else config).get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            self.faults.append(f"{self._where(key)} is {shown(value)}, expected a whole number")
            return None
        if value < low:
            self.faults.append(f"{self._where(key)} is {shown(value)}, expected {low} or more")
            return None
        return int(value)

    def number(self, key: str, *, config: Config | None = None) -> float | None:
        """Return a positive number of the configuration; None where it is absent."""
        value = (self.found.config if config is None else config).get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            self.faults.append(f"{self._where(key)} is {shown(value)}, expected a number above 0")
            return None
        return float(value)

    def flag(self, key: str, *, default: bool, config: Config | None = None) -> bool:
        """Return true or false."""
        value = (self.found.config if config is None else config).get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.faults.append(f"{self._where(key)} is {shown(value)}, expected true or false")
            return default
        return value

    def word(self, key: str, *, default: str, config: Config | None = None) -> str:
        """Return a text."""
        value = (self.found.config if config is None else config).get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self.faults.append(f"{self._where(key)} is {shown(value)}, expected text")
            return default
        return value

    def same_size(self, key: str, size: int, *, config: Config | None = None) -> None:
        """Compare a size that the configuration states with that of the tensors."""
        stated = self.whole(key, config=config)
        if stated is not None and size and stated != size:
            self.faults.append(f"{self._where(key)} is {stated:,}, the tensors have {size:,}")

    def k(self, stored: int | None, *, default: int | None = None, is_fixed: bool = True) -> int | None:
        """Return how many features are active: what is stored, else what the user says, else the default.

        None for an architecture that fixes no such number: the user must not give one either.
        """
        asked = self.found.k
        if not is_fixed:
            if asked is not None:
                self.faults.append("--k was given, but this architecture fixes no number of active features")
            return None
        if stored is not None and asked is not None and asked != stored:
            self.faults.append(f"k is {stored} in the file, {asked} was given; leave --k out")
        chosen = stored if stored is not None else asked if asked is not None else default
        if chosen is None:
            self.faults.append("k is missing; give it with --k")
        elif self.n_features and not 1 <= chosen <= self.n_features:
            self.faults.append(
                f"k is {shown(chosen)}, expected 1 to {self.n_features} (the number of features)"
            )
        return chosen

    def finish(self) -> None:
        """Raise what was found.

        Raises
        ------
        ModelError
            With every fault.
        """
        if self.faults:
            raise self._error()

    def refuse(self, fault: str) -> NoReturn:
        """Raise what was found, and a fault after which nothing more can be looked at.

        Raises
        ------
        ModelError
        """
        self.faults.append(fault)
        raise self._error()

    def _error(self) -> ModelError:
        remedy = f"expected {self.expected}; download it again, or give the file that is meant"
        return ModelError(faults_message(str(self.found.path), self.faults, remedy))

    def _where(self, key: str) -> str:
        return f"{key} in {self.found.config_path.name if self.found.config_path else 'the configuration'}"


def shown(value: object) -> str:
    """Return a value from a file, short enough for a message."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "keys with values"
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**18 else "a huge number"
    return text if len(text) <= 40 else f"{text[:37]}..."


def listed(names: Collection[str], *, most: int = 12) -> str:
    """Return names from a file, few enough for a message."""
    some = sorted(names)[:most]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(some)}{more}" if names else "nothing"
