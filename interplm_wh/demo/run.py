"""The demo command: the demo pipeline, what it found, and what to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from interplm_wh.ask import Report, report
from interplm_wh.controls.kinds import TITLES
from interplm_wh.pipeline import PipelineReport, run_pipeline

PIPELINE = "demo"
SAE = "demo-sae"
_SHOWN = 30


@dataclass(frozen=True)
class DemoReport:
    """What the demo found.

    Attributes
    ----------
    warehouse : Path
        As it was given.
    pipeline : PipelineReport
    found : Report
        The report of the demo's SAE.
    controls : Report
        The reports of its controls: the raw neurons of the same layer, amino acids, positions.
    seconds : float
    """

    warehouse: Path
    pipeline: PipelineReport
    found: Report
    controls: Report
    seconds: float

    def lines(self) -> list[str]:
        """Print what was found and the next commands."""
        said = self.found.lines()
        for control in self.controls.saes:
            n = control.summary["n_concepts_found"]
            said.append(f"The control {control.sae} ({TITLES[control.role]}) finds {n:,} concepts.")
        return [*said, f"Done in {self.seconds:.0f} s. Next:", "", *(f"  {line}" for line in self._next())]

    def _next(self) -> list[str]:
        program = _program()
        command = f"{program} -w {shlex.quote(str(self.warehouse))}"
        return [
            f"{command} info",
            f"{command} report --pairs 50",
            f"{command} score",
            f"{command} compare --controls {SAE}",
            f"{command} query \"from concept_features('{SAE}', 'Signal peptide_any')\"",
            f"{command} query \"from feature_examples('{SAE}', 1)\" --format csv",
            f"{command} shell",
            f"{command} dashboard",
            f"{program} run esm2-8m --dry-run",
        ]


def _program() -> str:
    """Return how the command line is called from here: by name, or by its path where that is not found."""
    beside = Path(sys.executable).with_name("interplm-wh")
    if shutil.which("interplm-wh") is not None or not beside.exists():
        return "interplm-wh"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


def run_demo(warehouse: str | Path) -> DemoReport:
    """Load, encode, build and report a synthetic proteome with the models of the package.

    A second run finds everything done and reports again.

    Parameters
    ----------
    warehouse : str or Path
        Made where there is none.
    """
    started = time.monotonic()
    done = run_pipeline(PIPELINE, warehouse)
    every = report(warehouse, n_pairs=_SHOWN)
    mine = tuple(one for one in every.saes if one.sae == SAE)
    controls = tuple(one for one in every.saes if one.role != "sae")
    return DemoReport(
        Path(warehouse),
        done,
        Report(mine, _SHOWN),
        Report(controls, 0),
        time.monotonic() - started,
    )
