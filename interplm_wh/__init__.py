"""A data warehouse of sparse-autoencoder features of protein language models.

``open`` reads a warehouse; ``load_plm`` and ``load_sae`` give the models for single sequences;
``commands`` holds one function for each command of the command line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interplm_wh import commands
    from interplm_wh.errors import InterplmError
    from interplm_wh.plm import load_plm
    from interplm_wh.sae import load_sae
    from interplm_wh.store.reader import Warehouse
    from interplm_wh.store.reader import open_anywhere as open

__version__ = "0.1.0"
__all__ = ["InterplmError", "Warehouse", "__version__", "commands", "load_plm", "load_sae", "open"]

# Imported on first use, so that the command line answers before torch or DuckDB is loaded.
_HOMES = {
    "InterplmError": ("interplm_wh.errors", "InterplmError"),
    "Warehouse": ("interplm_wh.store.reader", "Warehouse"),
    "load_plm": ("interplm_wh.plm", "load_plm"),
    "load_sae": ("interplm_wh.sae", "load_sae"),
    "open": ("interplm_wh.store.reader", "open_anywhere"),
}


def __getattr__(name: str) -> Any:
    if name == "commands":
        return import_module("interplm_wh.commands")
    if name not in _HOMES:
        raise AttributeError(f"module 'interplm_wh' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
