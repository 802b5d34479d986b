"""One function for each command: what the command line calls, under the same verb."""

from interplm_wh.ask import compare, info, query, report, shell, verify
from interplm_wh.build import build, scale
from interplm_wh.controls.run import controls
from interplm_wh.dashboard import serve as dashboard
from interplm_wh.demo import run_demo as demo
from interplm_wh.encode import encode
from interplm_wh.evaluate import evaluate
from interplm_wh.evidence import score
from interplm_wh.export.matrix import export_matrix
from interplm_wh.export.table import export_table
from interplm_wh.ingest.activations import add_activations
from interplm_wh.ingest.annotations import add_annotations
from interplm_wh.ingest.proteins import add_proteins
from interplm_wh.interpret import describe, interpret, verdict
from interplm_wh.landscape import cluster
from interplm_wh.pipeline import run_pipeline as run
from interplm_wh.plm.shuffle import shuffle
from interplm_wh.remote.publish import publish
from interplm_wh.remote.pull import pull
from interplm_wh.remove import remove_proteins, remove_sae, remove_source
from interplm_wh.remove_damaged import remove_damaged
from interplm_wh.rules import rules
from interplm_wh.sae import add_sae, export_sae
from interplm_wh.split import split
from interplm_wh.steer import steer
from interplm_wh.store import init, vacuum
from interplm_wh.structural import structure
from interplm_wh.structures import add_structures
from interplm_wh.suggest import suggest
from interplm_wh.train import train
from interplm_wh.variants import variants

__all__ = [
    "add_activations",
    "add_annotations",
    "add_proteins",
    "add_sae",
    "add_structures",
    "build",
    "cluster",
    "compare",
    "controls",
    "dashboard",
    "demo",
    "describe",
    "encode",
    "evaluate",
    "export_matrix",
    "export_sae",
    "export_table",
    "info",
    "init",
    "interpret",
    "publish",
    "pull",
    "query",
    "remove_damaged",
    "remove_proteins",
    "remove_sae",
    "remove_source",
    "report",
    "rules",
    "run",
    "scale",
    "score",
    "shell",
    "shuffle",
    "split",
    "steer",
    "structure",
    "suggest",
    "train",
    "vacuum",
    "variants",
    "verdict",
    "verify",
]
