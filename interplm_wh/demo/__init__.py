"""The demo: a synthetic proteome, and small models that were trained on proteins like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from interplm_wh.demo.run import DemoReport, run_demo

__all__ = ["DemoReport", "assets", "run_demo"]


def assets(kind: Literal["plm", "sae"]) -> Path:
    """Return the folder of a model that comes with the package.

    Raises
    ------
    ResourceError
        If it is missing from the installation.
    """
    from interplm_wh.errors import ResourceError

    folder = Path(__file__).resolve().parent / "assets" / f"demo-{kind}"
    if not folder.is_dir():
        raise ResourceError(f"the demo's {kind} is missing from the installation; install interplm-wh again")
    return folder


def __getattr__(name: str) -> Any:
    if name in ("DemoReport", "run_demo"):
        from interplm_wh.demo import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
