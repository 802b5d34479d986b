"""Reading the configuration beside a checkpoint: plain values alone, from a file of sane size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from interplm_wh.errors import ModelError

NAMES = ("cfg.json", "config.json", "config.yaml")
"""Configurations that formats have, in the order in which they are looked for."""
_MOST_BYTES = {".json": 4 << 20, ".yaml": 256 << 10}


class _Plain(yaml.SafeLoader):
    """Safe, and without merge keys, with which a small file can grow to any size."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merge keys are not taken", node.start_mark)


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration; nothing in it is run.

    Raises
    ------
    ModelError
        If it is too large, nested too deeply, no JSON or YAML of plain values, or no mapping.
    """
    limit = _MOST_BYTES[path.suffix]
    step = "nothing in it was run; mend it, or take it away"
    try:
        if path.stat().st_size > limit:
            raise ModelError(f"{path}: is larger than a configuration may be ({limit >> 10:,} KiB); {step}")
        text = path.read_text(encoding="utf-8")
        raw: Any = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=_Plain)  # noqa: S506
    except RecursionError as error:
        raise ModelError(f"{path}: is nested too deeply; {step}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: cannot be read as a configuration ({why}); {step}") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path}: holds no keys with values; {step}")
    return {str(key): value for key, value in raw.items()}


def beside(path: Path) -> list[Path]:
    """Return the configurations of a file of weights: beside it, or above a folder of checkpoints."""
    folders = [path.parent, path.parent.parent] if path.parent.name == "checkpoints" else [path.parent]
    return [folder / name for folder in folders for name in NAMES if (folder / name).is_file()]
