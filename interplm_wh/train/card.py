"""The card of a trained SAE: how it was made, as YAML for programs and as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

CARD, PAGE = "card.yaml", "card.md"


def files(card: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a card by name."""
    text = yaml.safe_dump(dict(card), sort_keys=False, allow_unicode=True)
    return {CARD: text.encode(), PAGE: page(card).encode()}


def page(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    recipe, data, result = card["recipe"], card["data"], card["result"]
    lines = [
        f"# {card['sae']}",
        "",
        f"A sparse autoencoder ({recipe['architecture']}, {card['d_model']:,} -> {recipe['n_features']:,} "
        f"features) of hidden state {recipe['layer']} of {card['plm']}, trained with interplm-wh "
        f"{card['package_version']}.",
        "",
        "## Data",
        "",
        *_table(data),
        "",
        "## Recipe",
        "",
        *_table({**recipe, **card["training"]}),
        "",
        "## At the end of the training",
        "",
        "The last row of `training_metrics`, on residues that it learnt from; how it does on held-out",
        f"proteins is said by `interplm-wh evaluate --sae {card['sae']}`.",
        *_seen(data),
        "",
        *_table(result),
        "",
        "The scale of its features is taken from the proteins that it encodes, at the first build.",
    ]
    return "\n".join(lines) + "\n"


def _seen(data: Mapping[str, Any]) -> list[str]:
    """Say which splits are not held out for this SAE."""
    scored = [split for split in data["splits"] if split != "train"]
    if not scored:
        return []
    return ["", f"It learnt from the proteins of {' and '.join(scored)}: for it they are not held out."]


def _table(values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {key} | {_shown(value)} |" for key, value in values.items() if value not in (None, (), [])]
    return ["| | |", "|---|---|", *rows]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
