"""What an SAE learnt from, as far as its card says: numbers on the same proteins are not held out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from interplm_wh.encode.models import sae_folder
from interplm_wh.evaluate.proteins import SPLITS

log = logging.getLogger(__name__)


def what_of(root: Path, sae: str, *, evaluated_on: str) -> str | None:
    """Return which part of a split, or of a file by its name, a trained SAE learnt from; None: no part.

    SAEs that were not trained here have no card, so that nothing is known of their proteins.
    """
    from interplm_wh.train.card import CARD

    path = sae_folder(root, sae) / CARD
    if not path.is_file():
        return None
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
        splits, files = list(data["splits"]), list(data["files"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        log.warning("%s: does not say what %s was trained on (%r)", path, sae, error)
        return None
    return _shared(evaluated_on, splits, files)


def _shared(evaluated_on: str, splits: list[Any], files: list[Any]) -> str | None:
    if evaluated_on == "all" and splits:
        return f"a part of 'all': {', '.join(map(str, splits))}"
    if evaluated_on in splits:
        return f"the split {evaluated_on!r} itself"
    if evaluated_on in files and evaluated_on not in SPLITS:
        return f"a file named {evaluated_on} too"
    return None
