"""Reading settings out of YAML: each key is asked for by name and type, and all faults are collected."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from interplm_wh import names
from interplm_wh.errors import InputError

Word = TypeVar("Word", bound=str)
_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "nothing",
}


class _Loader(yaml.SafeLoader):
    """Safe, and refuses a key that stands twice in one mapping."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if str(key.value) in seen:
            raise yaml.constructor.ConstructorError(
                "while reading a mapping",
                node.start_mark,
                f"the key {key.value!r} stands twice",
                key.start_mark,
            )
        seen.add(str(key.value))
    return loader.construct_mapping(node, deep=True)


# YAML 1.1 takes a number such as 2e-4, without a point, for text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises
    ------
    InputError
        If it cannot be read, is no YAML, or has a key twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a YAML file") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply; a pipeline has a few levels") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}; mend the line that it names") from error


class Section:
    """One mapping of a YAML file.

    What is asked for is what is known: `finish` names every other key. A value of another type
    is noted as a fault and read as if it were not there.

    Parameters
    ----------
    raw : object
        The mapping; anything else is a fault.
    where : str
        Path of the mapping, such as `saes[2]`; empty at the top.
    faults : list of str
        Where faults are collected.
    """

    def __init__(self, raw: object, where: str, faults: list[str]) -> None:
        self.where = where
        self.faults = faults
        self._asked: list[str] = []
        self._raw: Mapping[str, Any] = {}
        if isinstance(raw, dict):
            self._raw = {str(key): value for key, value in raw.items()}
        elif raw is not None:
            faults.append(f"{where or 'the file'}: expected keys with values, found {_shown(raw)}")

    def __contains__(self, key: str) -> bool:
        return self._raw.get(key) is not None

    def fault(self, key: str, text: str) -> None:
        """Note a fault of one key."""
        self.faults.append(f"{self._path(key)}: {text}")

    def text(self, key: str) -> str | None:
        """Return a text, or None where there is none."""
        found: str | None = self._value(key, str)
        if found is not None and not found.strip():
            self.fault(key, "is empty")
            return None
        return found

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false; the default where the key is absent."""
        found: bool | None = self._value(key, bool)
        return default if found is None else found

    def integer(self, key: str, *, low: int) -> int | None:
        """Return a whole number from `low` upwards."""
        found: int | None = self._value(key, int)
        return found if found is None or self._is_from(key, found, low) else None

    def number(self, key: str, *, low: float) -> float | None:
        """Return a finite number from `low` upwards."""
        found: float | None = self._value(key, float)
        return float(found) if found is not None and self._is_from(key, found, low) else None

    def choice(self, key: str, options: Sequence[Word]) -> Word | None:
        """Return one of some words."""
        found = self.text(key)
        for option in options:
            if found == option:
                return option
        if found is not None:
            self.fault(key, f"{found!r} is none of {', '.join(options)}{_hint(found, options)}")
        return None

    def words(self, key: str, options: Sequence[Word]) -> tuple[Word, ...]:
        """Return a list of some words, each once; `all` stands for every one."""
        if self._raw.get(key) == "all":
            self._asked.append(key)
            return tuple(options)
        if isinstance(self._raw.get(key), str):
            self._asked.append(key)
            self.fault(key, f"give all, or a list of {', '.join(options)}")
            return ()
        found = self.texts(key)
        for word in found:
            if word not in options:
                self.fault(key, f"{word!r} is none of {', '.join(options)}{_hint(word, options)}")
        return tuple(option for option in options if option in found)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item for item in self._items(key, str) if isinstance(item, str))

    def integers(self, key: str, *, low: int) -> tuple[int, ...]:
        """Return a list of whole numbers from `low` upwards."""
        return tuple(item for item in self._items(key, int) if self._is_from(key, item, low))

    def numbers(self, key: str, *, low: float) -> tuple[float, ...]:
        """Return a list of finite numbers from `low` upwards."""
        return tuple(float(item) for item in self._items(key, float) if self._is_from(key, item, low))

    def section(self, key: str) -> Section:
        """Return a mapping below this one; an empty one where there is none."""
        self._asked.append(key)
        return Section(self._raw.get(key), self._path(key), self.faults)

    def sections(self, key: str) -> list[Section]:
        """Return a list of mappings."""
        return [
            Section({} if item is None else item, f"{self._path(key)}[{i}]", self.faults)
            for i, item in enumerate(self._list(key), start=1)
        ]

    def finish(self) -> None:
        """Note every key that nobody asked for, with the nearest one that is known."""
        for key in self._raw:
            if key not in self._asked:
                hint = _hint(key, self._asked) or f"; known: {', '.join(sorted(self._asked))}"
                self.faults.append(f"{self._path(key)}: unknown key{hint}")

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def _value(self, key: str, kind: type) -> Any:
        self._asked.append(key)
        found = self._raw.get(key)
        return found if found is None or self._fits(key, found, kind) else None

    def _list(self, key: str) -> list[Any]:
        self._asked.append(key)
        found = self._raw.get(key)
        if found is None:
            return []
        if not isinstance(found, list) or not found:
            self.fault(key, f"expected a list with at least one item, found {_shown(found)}")
            return []
        return found

    def _items(self, key: str, kind: type) -> list[Any]:
        return [item for item in self._list(key) if self._fits(key, item, kind)]

    def _fits(self, key: str, found: object, kind: type) -> bool:
        is_flag = isinstance(found, bool)
        allowed = (int, float) if kind is float else kind
        if isinstance(found, allowed) and is_flag == (kind is bool):
            return True
        quotes = "" if kind is not str or isinstance(found, (dict, list)) else "; put it in quotes"
        self.fault(key, f"expected {_TYPE_NAMES[kind]}, found {_shown(found)}{quotes}")
        return False

    def _is_from(self, key: str, found: float, low: float) -> bool:
        if math.isfinite(found) and found >= low:
            return True
        self.fault(key, f"expected a number from {low} upwards, found {found}")
        return False


def _hint(word: str, known: Iterable[str]) -> str:
    near = names.nearest(word, known)
    return f"; did you mean {near}?" if near else ""


def _shown(value: object) -> str:
    text = (
        "a list" if isinstance(value, list) else "keys with values" if isinstance(value, dict) else str(value)
    )
    return text if len(text) < 60 else f"{text[:57]}..."
