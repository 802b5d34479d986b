"""The command line: each command parses, calls one function, and prints what that returns."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import click
from click.core import ParameterSource

from interplm_wh import __version__
from interplm_wh.errors import InterplmError
from interplm_wh.ingest.annotation_names import ANNOTATION_FORMATS, AnnotationFormat
from interplm_wh.unexpected import STOPPED, explain

_DEBUG = "--debug"
# Commands that ask a published warehouse where it is; all others write, or look beside the tables.
_READ_ANYWHERE = frozenset({"query", "report", "compare", "info", "verify", "export"})
FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path))
ENGINE = click.option(
    "--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True,
    help="What runs the SQL; spark needs Java 17 and the extra `spark`.",
)  # fmt: skip
MASTER = click.option(
    "--master", metavar="URL", help="Spark's master, for instance spark://host:7077; this machine by default."
)


class _Command(click.Command):
    """A command that takes no empty argument: a variable of the shell was not set."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "" in args:
            raise click.UsageError("an argument is empty; is a variable of the shell not set?", ctx)
        return super().parse_args(ctx, args)


class _Group(click.Group):
    command_class = _Command
    group_class = type


class _Report(Protocol):
    def lines(self) -> Sequence[str]: ...


def show(report: _Report) -> None:
    """Print a report to standard output."""
    root = click.get_current_context().find_root()
    for line in report.lines():
        click.echo(_pointed(line, root))


def _pointed(text: str, root: click.Context) -> str:
    """Return text whose commands are about the warehouse that was named: they are copied as they are."""
    if root.get_parameter_source("warehouse") is not ParameterSource.COMMANDLINE:
        return text
    named = root.params["warehouse"]
    # What is published is changed in a copy, wherever that is pulled to.
    words = f"interplm-wh -w {'FOLDER' if '://' in str(named) else shlex.quote(str(named))} "
    return re.sub(rf"\binterplm-wh (?=(?:{'|'.join(cli.commands)})\b)", lambda _: words, text)


def _folder(_ctx: click.Context, _param: click.Parameter, text: str) -> Path | str:
    """Refuse an empty name, which would be the working directory: a variable of the shell was not set."""
    if not text:
        raise click.BadParameter("the name of the warehouse is empty")
    return text if "://" in text else Path(text)


def _list(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Read values with commas between them."""
    found = tuple(value.strip() for value in text.split(",")) if text is not None else ()
    if not all(found):
        raise click.BadParameter("give values with commas between them, and none that is empty")
    return found


def _shard(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """Refuse what is no I/N."""
    from interplm_wh.encode import shard

    try:
        return str(shard.parse(text)) if text is not None else None
    except InterplmError as error:
        raise click.BadParameter(str(error)) from error


def _exclude(*options: tuple[str, object]) -> None:
    """Refuse options that mean the same thing in two ways."""
    given = [name for name, value in options if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} do not go together; give one of them")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w", "--warehouse", envvar="INTERPLM_WH", default="warehouse", show_default=True,
    callback=_folder, type=click.Path(), 
    help="Folder of the warehouse, or address of a published one (hf://, s3://, gs://, http(s)://), which is "
    "only read; also $INTERPLM_WH.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="interplm-wh")
@click.pass_context
def cli(ctx: click.Context, warehouse: Path | str, debug: bool) -> None:
    """A data warehouse of sparse-autoencoder features of protein language models.

    Encode once; ask in SQL.
    """
    from interplm_wh.remote import address

    if ctx.invoked_subcommand not in _READ_ANYWHERE and address.is_address(warehouse):
        raise address.refuse_writing(warehouse)
    ctx.obj = warehouse
    ctx.meta["debug"] = debug


@cli.command()
@click.option("--seed", default=0, show_default=True, help="Seed of splits and draws.")
@click.pass_obj
def init(warehouse: Path, seed: int) -> None:
    """Make an empty warehouse."""
    from interplm_wh import store

    click.echo(f"made {store.init(warehouse, seed=seed)}")


@cli.command()
@click.pass_obj
def demo(warehouse: Path) -> None:
    """Run the whole job on a small synthetic proteome with the models that come with the package."""
    from interplm_wh.demo import run_demo

    show(run_demo(warehouse))


@cli.command()
@click.argument("pipeline")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.pass_obj
def run(warehouse: Path, pipeline: str, dry_run: bool) -> None:
    """Run a pipeline: a YAML file, or the name of one that comes with the package."""
    from interplm_wh.pipeline import run_pipeline

    show(run_pipeline(pipeline, warehouse, dry_run=dry_run))


@cli.command()
@click.argument("pipeline")
@click.option("--restart", is_flag=True, help="Forget what an interrupted training has done.")
@click.pass_obj
def train(warehouse: Path, pipeline: str, restart: bool) -> None:
    """Train the SAEs of a pipeline's section `train`, or go on where it was cut off, and register them.

    PIPELINE is a YAML file, or the name of one that comes with the package. Its proteins are added first.
    """
    from interplm_wh.pipeline import run_pipeline

    show(run_pipeline(pipeline, warehouse, until="train", restart=restart))


@cli.group()
def add() -> None:
    """Add proteins, annotations, SAEs, activations or structures."""


@add.command("proteins")
@FILES
@click.option("--uniprot", metavar="QUERY", help="Download the answer to a UniProtKB query.")
@click.option("--sample", type=click.IntRange(min=1), help="Add a random sample of N proteins.")
@click.option("--seed", default=0, show_default=True, help="Seed of the sample.")
@click.option("--max-length", type=click.IntRange(min=1), help="Leave out longer proteins.")
@click.option("--skip-bad", is_flag=True, help="Reject and count bad rows instead of stopping.")
@click.pass_obj
def add_proteins(
    warehouse: Path, files: tuple[Path, ...], uniprot: str | None, sample: int | None, seed: int,
    max_length: int | None, skip_bad: bool,
) -> None:  # fmt: skip
    """Add proteins from FASTA, UniProtKB TSV, CSV, TSV or Parquet FILES, plain or gzip."""
    from interplm_wh.ingest.proteins import add_proteins

    _need_one(files, uniprot, "FILES or --uniprot QUERY")
    report = add_proteins(
        warehouse, files, uniprot=uniprot, sample=sample, seed=seed, max_length=max_length, skip_bad=skip_bad
    )
    show(report)


@add.command("annotations")
@FILES
@click.option("--source", help="Name of the source; loading it again replaces it.")
@click.option(
    "--format", "form", type=click.Choice(ANNOTATION_FORMATS), help="Format; seen from FILES by default."
)
@click.option("--covers", metavar="all|listed|FILE", help="The proteins in which the source looked.")
@click.option("--concept", metavar="NAME", help="Name of the residues whose number passes.")
@click.option("--at-least", type=float, metavar="X", help="A number per residue passes from here on.")
@click.option("--at-most", type=float, metavar="X", help="A number per residue passes up to here.")
@click.option("--allow-gaps", is_flag=True, help="Residues without a number are outside the concept.")
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Reject and count bad rows instead of stopping; those of UniProtKB exports always are.",
)
@click.pass_obj
def add_annotations(
    warehouse: Path, files: tuple[Path, ...], source: str | None, form: AnnotationFormat | None,
    covers: str | None, concept: str | None, at_least: float | None, at_most: float | None,
    allow_gaps: bool, skip_bad: bool,
) -> None:  # fmt: skip
    """Add annotations from FILES, plain or gzip: any table of proteins, positions and concepts.

    UniProtKB TSV; CSV, TSV or Parquet; GFF3; BED; InterProScan TSV; Pfam; strings of secondary structure;
    numbers per residue, cut at a threshold. docs/inputs.md says how each is read.
    """
    from interplm_wh.ingest.annotations import add_annotations

    _need_one(files, None, "FILES")
    report = add_annotations(
        warehouse, files, source=source, format=form, covers=covers, concept=concept, at_least=at_least,
        at_most=at_most, allow_gaps=allow_gaps, skip_bad=skip_bad,
    )  # fmt: skip
    show(report)


@add.command("sae")
@click.argument("source")
@click.option("--name", required=True, help="Name of the SAE in the warehouse.")
@click.option("--plm", required=True, help="PLM: hub id or local folder.")
@click.option("--layer", required=True, type=click.IntRange(min=0), help="Index of the hidden state.")
@click.option("--file", help="File or folder within SOURCE, for instance ae_unnormalized.pt.")
@click.option(
    "--k", type=click.IntRange(min=1), help="Active features per residue, where SOURCE does not say."
)
@click.option("--revision", help="Revision of SOURCE on the hub.")
@click.option("--device", help="Device for the layer check, for instance cuda.")
@click.option("--force", is_flag=True, help="Take it although the layer check fails; this is recorded.")
@click.pass_obj
def add_sae(
    warehouse: Path, source: str, name: str, plm: str, layer: int, file: str | None, k: int | None,
    revision: str | None, device: str | None, force: bool,
) -> None:  # fmt: skip
    """Add an SAE: a hub id, a folder, a file, or `identity` (the raw neurons).

    Checkpoints of InterPLM, InterProt, dictionary_learning, SAELens, sparsify and Biohub are recognised.
    """
    from interplm_wh.sae import add_sae

    report = add_sae(
        warehouse,
        source,
        name=name,
        plm=plm,
        layer=layer,
        file=file,
        k=k,
        revision=revision,
        device=device,
        force=force,
    )
    show(report)


@add.command("activations")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sae", required=True, help="SAE that made them; registered if it is new.")
@click.option("--n-features", type=click.IntRange(min=1), help="Number of features of the SAE.")
@click.option(
    "--covers", default="listed", show_default=True, type=click.Choice(["listed", "all"]),
    help="Proteins that count as encoded: those in the file, or every one of the warehouse.",
)  # fmt: skip
@click.pass_obj
def add_activations(
    warehouse: Path, file: Path, sae: str, n_features: int | None, covers: Literal["listed", "all"]
) -> None:
    """Add activations made elsewhere: CSV, TSV or Parquet with accession, position, feature, value."""
    from interplm_wh.ingest.activations import add_activations

    show(add_activations(warehouse, file, sae=sae, n_features=n_features, covers=covers))


@add.command("structures")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--map", "mapping", metavar="FILE", type=click.Path(path_type=Path),
    help="Table with accession, structure (the file's name without its ending) and chain (may be empty).",
)  # fmt: skip
@click.option("--chain", "chains", multiple=True, help="Take this chain only; repeat for more.")
@click.option("--skip-bad", is_flag=True, help="Leave out, and name, files that do not fit.")
@click.pass_obj
def add_structures(
    warehouse: Path, paths: tuple[Path, ...], mapping: Path | None, chains: tuple[str, ...], skip_bad: bool
) -> None:
    """Add structures: PDB or mmCIF files, plain or gzip, or folders of them.

    The protein is that of the map, or else of the file's name (P12345.pdb, AF-P12345-F1-model_v6.cif), or
    else the one whose sequence the chain has. A structure replaces an earlier one of the same name.
    """
    from interplm_wh.structures import add_structures

    _need_one(paths, None, "PATHS")
    show(add_structures(warehouse, paths, mapping=mapping, chains=chains, skip_bad=skip_bad))


@cli.command()
@click.option("--by", default="cluster", show_default=True, type=click.Choice(["cluster"]),
              help="What stands on one side of the split.")  # fmt: skip
@click.option("--clusters", metavar="mmseqs2|stored|FILE",
              help="Compute them, take those of the warehouse, or read FILE; by default what can be.",
)  # fmt: skip
@click.option("--seed", type=int, help="Seed of the draw; that of the warehouse by default.")
@click.option("--min-identity", type=click.FloatRange(0, 1), help="For MMseqs2; 0.3 by default.")
@click.option("--coverage", type=click.FloatRange(0, 1), help="For MMseqs2; 0.8 by default.")
@click.option("--keep-splits", is_flag=True, help="Set the clusters alone; report counts relatives then.")
@click.pass_obj
def split(
    warehouse: Path, by: Literal["cluster"], clusters: str | None, seed: int | None,
    min_identity: float | None, coverage: float | None, keep_splits: bool,
) -> None:  # fmt: skip
    """Divide the proteins into valid and test anew, with relatives on one side.

    FILE is MMseqs2's cluster.tsv, CD-HIT's .clstr, or a table of proteins and clusters.
    """
    from interplm_wh.split import split

    report = split(
        warehouse, by=by, clusters=clusters, seed=seed, min_identity=min_identity, coverage=coverage,
        keep_splits=keep_splits,
    )  # fmt: skip
    show(report)


@cli.command()
@click.option("--sae", "saes", multiple=True, required=True, help="SAE to encode with; repeat for more.")
@click.option(
    "--dtype", default="float32", show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]), help="Number format of the PLM.",
)  # fmt: skip
@click.option("--device", help="For instance cpu or cuda; the fastest there is by default.")
@click.option("--min-value", type=float, help="Keep values above this; by default as before, 0 at first.")
@click.option("--token-budget", type=click.IntRange(min=1), help="Most tokens in one batch.")
@click.option(
    "--shard", "share", metavar="I/N", callback=_shard,
    help="Only the I-th of N shares, for job arrays; all together are a whole run.",
)  # fmt: skip
@click.option(
    "--devices", metavar="LIST", callback=_list,
    help="One process for each, for instance 0,1 for two GPUs, or cpu,cpu.",
)  # fmt: skip
@click.option(
    "--engine", default="local", show_default=True, type=click.Choice(["local", "spark"]),
    help="Spark hands the work to its workers, which see the warehouse under the same path.",
)  # fmt: skip
@click.option("--master", metavar="URL", help="Master of Spark; this machine by default.")
@click.pass_obj
def encode(
    warehouse: Path,
    saes: tuple[str, ...],
    dtype: str,
    device: str | None,
    min_value: float | None,
    token_budget: int | None,
    share: str | None,
    devices: tuple[str, ...],
    engine: Literal["local", "spark"],
    master: str | None,
) -> None:
    """Encode the proteins that an SAE has not encoded yet; SAEs of one PLM share its passes.

    Several may run at once, on one warehouse that all of them see; what another has done or is doing
    is left to it, and each goes on from where it was cut off.

    Exit code 1 where proteins were encoded in vain, since they changed meanwhile, or could not be encoded,
    which `info` and `verify` name then.
    """
    from interplm_wh.encode import encode

    _exclude(("--devices", devices), ("--device", device))
    _exclude(("--engine spark", engine == "spark"), ("--devices", devices), ("--shard", share))
    if master and engine != "spark":
        raise click.UsageError("--master goes with --engine spark")
    report = encode(
        warehouse, saes, dtype=dtype, device=device, min_value=min_value, token_budget=token_budget,
        share=share, devices=devices, engine=engine, master=master,
    )  # fmt: skip
    show(report)
    if report.n_discarded:
        raise SystemExit(1)


@cli.command()
@click.option("--sae", "saes", multiple=True, required=True, help="SAE to evaluate; repeat for more.")
@click.option(
    "--split", default="test", show_default=True, type=click.Choice(["test", "valid", "train", "all"]),
    help="Proteins of the warehouse to evaluate on; private ones are left out.",
)  # fmt: skip
@click.option("--fasta", metavar="FILE", help="Evaluate on the proteins of a FASTA file instead.")
@click.option("--max-proteins", type=click.IntRange(min=1), help="Evaluate on a fixed sample of so many.")
@click.option("--skip-fidelity", is_flag=True, help="Do not ask what the PLM predicts; much faster.")
@click.option("--device", help="For instance cpu or cuda; the fastest there is by default.")
@click.option(
    "--dtype", default="float32", show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]), help="Number format of the PLM.",
)  # fmt: skip
@click.pass_context
def evaluate(
    ctx: click.Context, saes: tuple[str, ...], split: Literal["test", "valid", "train", "all"],
    fasta: str | None, max_proteins: int | None, skip_fidelity: bool, device: str | None, dtype: str,
) -> None:  # fmt: skip
    """Measure how sparse and how faithful SAEs are, on held-out proteins or on any file."""
    from interplm_wh.evaluate import evaluate

    is_given = ctx.get_parameter_source("split") is not click.core.ParameterSource.DEFAULT
    if fasta is not None and is_given:
        raise click.UsageError("give --split or --fasta, not both")
    report = evaluate(
        ctx.obj, saes, split=split, fasta=fasta, max_proteins=max_proteins, skip_fidelity=skip_fidelity,
        device=device, dtype=dtype,
    )  # fmt: skip
    show(report)


@cli.command()
@click.option("--sae", "saes", multiple=True, help="SAE to score; repeat for more. By default all of them.")
@click.option(
    "--sql", metavar="SELECT",
    help="Score the spans of this statement instead (accession, start, stop, concept), and record nothing.",
)  # fmt: skip
@click.option(
    "--format", "form", default="table", show_default=True,
    type=click.Choice(["table", "csv", "json", "parquet"]), help="Of the answer to --sql.",
)  # fmt: skip
@click.option(
    "--resamples", default=1000, show_default=True, type=click.IntRange(min=1),
    help="Resamples of clusters, for the intervals.",
)  # fmt: skip
@click.option(
    "--draws-per-pair", default=20, show_default=True, type=click.IntRange(min=1),
    help="Draws of each null at most, for each pair that is tested.",
)  # fmt: skip
@click.option("--fdr", default=0.05, show_default=True,
              type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="False-discovery rate of what is claimed.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0),
              help="Seed of draws and resamples.")  # fmt: skip
@click.pass_context
def score(
    ctx: click.Context, saes: tuple[str, ...], sql: str | None,
    form: Literal["table", "csv", "json", "parquet"], resamples: int, draws_per_pair: int, fdr: float,
    seed: int,
) -> None:  # fmt: skip
    """Weigh the pairs that were chosen on valid: intervals, two nulls, and controls, all on test.

    With --sql, score concepts of your own, choosing on valid and reading on test in the same way.
    """
    from interplm_wh.evidence import score, score_sql, score_sql_lines

    weighing = {"resamples", "draws_per_pair", "fdr", "seed"}
    if refused := _options(ctx, weighing if sql is not None else {"form"}):
        raise click.UsageError(f"{refused} {'cannot go' if sql is not None else 'goes only'} with --sql")
    if sql is not None:
        from interplm_wh.ask import write_rows

        found = score_sql(ctx.obj, sql, saes=saes)
        if form == "table":
            click.echo("\n".join(score_sql_lines(found)))
        else:
            write_rows(found, sys.stdout.buffer, form=form)
        return
    show(score(ctx.obj, saes, n_resamples=resamples, draws_per_pair=draws_per_pair, fdr=fdr, seed=seed))


@cli.command()
@click.argument("sae")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(["neurons", "shuffled", "amino_acid", "position"]),
    help="Control to make; repeat for more. All by default.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the shuffled weights.")
@click.option("--recipe", metavar="PIPELINE", help="How SAE was trained, where that was not done here.")
@click.option("--device", help="For instance cpu or cuda; the fastest there is by default.")
@click.pass_obj
def controls(
    warehouse: Path, sae: str, kinds: tuple[str, ...], seed: int, recipe: str | None, device: str | None
) -> None:
    """Make the controls of SAE that are missing, encode and build them, and count what is compared.

    Raw neurons, an SAE of the same recipe on a PLM with shuffled weights, amino acids and positions: SAEs
    of their own, over the proteins that SAE has encoded.
    """
    from interplm_wh.controls.run import controls

    show(controls(warehouse, sae, kinds, seed=seed, recipe=recipe, device=device))


@cli.command()
@click.argument("plm")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Seed of the permutations.")
@click.option("--revision", help="Revision of PLM on the hub.")
def shuffle(plm: str, output: Path, seed: int, revision: str | None) -> None:
    """Write a copy of PLM, a hub id or a folder, whose weights are shuffled within each tensor."""
    from interplm_wh.plm.shuffle import shuffle

    show(shuffle(plm, output, seed=seed, revision=revision))


@cli.command()
@click.option("--sae", required=True, help="SAE whose scale is replaced.")
@click.option(
    "--from", "source", required=True, metavar="all|valid|checkpoint|FASTA", help="What sets the scale."
)
@ENGINE
@MASTER
@click.pass_obj
def scale(warehouse: Path, sae: str, source: str, engine: str, master: str | None) -> None:
    """Replace the scale of an SAE and build again all that depends on it."""
    from interplm_wh.build import scale

    show(scale(warehouse, sae=sae, source=source, engine=engine, master=master))


@cli.command()
@click.option(
    "--select", multiple=True, metavar="TABLE", help="Build this table and what it reads; repeatable."
)
@click.option("--thresholds", metavar="T,T,…", help="Activation thresholds, for instance 0,0.15,0.5,0.6,0.8.")
@click.option("--min-residues", type=int, help="Score concepts with more residues than this.")
@click.option("--min-domains", type=int, help="Score concepts with more instances than this.")
@click.option("--presence", type=float, help="A feature is present above this activation.")
@ENGINE
@MASTER
@click.pass_obj
def build(
    warehouse: Path, select: tuple[str, ...], thresholds: str | None, min_residues: int | None,
    min_domains: int | None, presence: float | None, engine: str, master: str | None,
) -> None:  # fmt: skip
    """Make every table that is missing or out of date; what is not given is as in the last build."""
    from interplm_wh.build import build

    report = build(
        warehouse, select=select, thresholds=_numbers(thresholds, "--thresholds"), min_residues=min_residues,
        min_domains=min_domains, presence=presence, engine=engine, master=master,
    )  # fmt: skip
    show(report)


@cli.command()
@click.option("--sae", help="One SAE only.")
@click.option(
    "--pairs", default=20, show_default=True, type=click.IntRange(min=0), help="Best pairs to show."
)
@click.pass_obj
def report(warehouse: Path, sae: str | None, pairs: int) -> None:
    """Print what each SAE finds on held-out proteins."""
    from interplm_wh.ask import report

    show(report(warehouse, sae=sae, n_pairs=pairs))


@cli.command()
@click.option("--sae", required=True, help="SAE whose features are mapped and compared.")
@click.option(
    "--with", "others", multiple=True, metavar="SAE", help="Match them with this SAE's; repeatable."
)
@click.option(
    "--proteins", default=1000, show_default=True, type=click.IntRange(min=2),
    help="Draw residues from so many proteins at most.",
)  # fmt: skip
@click.option(
    "--residues", type=click.IntRange(min=1),
    help="Draw about so many residues; by default as many as are compared in some seconds.",
)  # fmt: skip
@click.option(
    "--pairs", default=20, show_default=True, type=click.IntRange(min=1),
    help="Features kept beside each that are active with it.",
)  # fmt: skip
@click.option(
    "--draws", default=10, show_default=True, type=click.IntRange(min=3),
    help="Draws of chance that matches are compared with.",
)  # fmt: skip
@click.option("--skip-map", is_flag=True, help="Leave out the map, which needs a decoder and UMAP.")
@click.pass_obj
def cluster(
    warehouse: Path, sae: str, others: tuple[str, ...], proteins: int, residues: int | None, pairs: int,
    draws: int, skip_map: bool,
) -> None:  # fmt: skip
    """Map the features of an SAE, with clusters, and find those that are active together.

    Together with each other, and with --with together with those of another SAE: the same concept there.
    """
    from interplm_wh.landscape import cluster

    report = cluster(
        warehouse, sae, others=others, n_proteins=proteins, n_residues=residues, n_pairs=pairs,
        n_draws=draws, skip_map=skip_map,
    )  # fmt: skip
    show(report)


@cli.command()
@click.option("--sae", help="One SAE only; by default every one that is no control.")
@click.option("--feature", "features", multiple=True, type=int,
              help="List this feature alone; repeat for more. All are tested.")  # fmt: skip
@click.option("--presence", default=0.6, show_default=True, type=float,
              help="Activation that a protein's strongest residue must be above.")  # fmt: skip
@click.option("--max-distance", default=8.0, show_default=True, type=float,
              help="Of the C-alphas of a contact, in Å.")  # fmt: skip
@click.option("--min-separation", default=6, show_default=True, type=int,
              help="Of the residues of a contact in the sequence.")  # fmt: skip
@click.option("--min-plddt", default=70.0, show_default=True, type=float,
              help="Leave out residues of predictions with a lower one.")  # fmt: skip
@click.option("--min-proteins", default=10, show_default=True, type=int,
              help="Test a feature on so many at least, one of each cluster.")  # fmt: skip
@click.option("--fdr", default=0.05, show_default=True, type=float,
              help="False-discovery rate of a class.")  # fmt: skip
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "csv", "json"]), help="json: one object per line.")  # fmt: skip
@click.pass_obj
def structure(
    warehouse: Path, sae: str | None, features: tuple[int, ...], presence: float, max_distance: float,
    min_separation: int, min_plddt: float, min_proteins: int, fdr: float, form: str,
) -> None:  # fmt: skip
    """Say which features follow the structure of proteins, and which their sequence.

    By two tests: one with controls at the same separation in the sequence, and the published one.
    """
    from interplm_wh.ask import write_rows
    from interplm_wh.structural import structure

    report = structure(
        warehouse, sae=sae, features=features, presence=presence, max_distance=max_distance,
        min_separation=min_separation, min_plddt=min_plddt, min_proteins=min_proteins, fdr=fdr,
    )  # fmt: skip
    if form == "table":
        show(report)
    else:
        write_rows(report.rows, sys.stdout.buffer, form=form)  # type: ignore[arg-type]


@cli.command()
@click.argument("saes", nargs=-1, metavar="[SAE]...")
@click.option("--on", default="test", show_default=True, metavar="SPLIT|FILE",
              help="What they were evaluated on: a split, or the name of a FASTA file.")  # fmt: skip
@click.option("--controls", is_flag=True, help="Put one SAE beside its controls instead.")
@click.option("--concepts", is_flag=True, help="With --controls: a row for each concept.")
@click.option("--chart", metavar="FILE", help="Draw it: .html, .svg, .png or .json.")
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "csv", "json"]), help="json: one object per line.")  # fmt: skip
@click.pass_obj
def compare(
    warehouse: Path, saes: tuple[str, ...], on: str, controls: bool, concepts: bool, chart: str | None,
    form: str,
) -> None:  # fmt: skip
    """Put SAEs side by side that were evaluated on the same proteins; by default all of them.

    With --controls, one SAE beside its controls: what each finds on held-out proteins.
    """
    from interplm_wh.ask import Comparison, ControlComparison, compare, compare_controls, write_rows

    found: Comparison | ControlComparison
    if controls:
        if len(saes) != 1:
            raise click.UsageError("with --controls, name one SAE")
        if on != "test":
            raise click.UsageError("with --controls, features are read on test; leave --on out")
        found = compare_controls(warehouse, saes[0], by="concept" if concepts else "control", chart=chart)
    elif concepts:
        raise click.UsageError("--concepts goes with --controls")
    else:
        found = compare(warehouse, saes, on=on, chart=chart)
    if form == "table":
        show(found)
    else:
        write_rows(found.rows, sys.stdout.buffer, form=form)  # type: ignore[arg-type]
    for note in found.notes:
        click.echo(note, err=True)


@cli.command()
@click.option("--sae", help="One SAE only; by default every one that is no control.")
@click.option("--concept", help="List this concept alone; suggestions are made for all.")
@click.option("--min-precision", default=0.0, show_default=True, type=click.FloatRange(0, 1),
              help="List pairs that are at least so precise on test.")  # fmt: skip
@click.option("--private", "with_private", is_flag=True, help="List private proteins, too.")
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "csv", "json", "gff3"]),
              help="json: one object per line.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file.")
@click.option(
    "--measure", is_flag=True, help="Measure what suggestions are worth: hide, and see what is found."
)
@click.option("--hide", default=20, show_default=True, type=click.IntRange(1, 99),
              help="With --measure: percent of each concept's carriers.")  # fmt: skip
@click.option("--by", "hide_by", default="protein", show_default=True,
              type=click.Choice(["protein", "cluster"]), help="With --measure: what is hidden.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="With --measure: seed of the draw.")
@click.pass_context
def suggest(
    ctx: click.Context, sae: str | None, concept: str | None, min_precision: float, with_private: bool,
    form: Literal["table", "csv", "json", "gff3"], output: Path | None, measure: bool, hide: int,
    hide_by: Literal["protein", "cluster"], seed: int,
) -> None:  # fmt: skip
    """Suggest missing annotations: where a concept's features fire and it is not annotated.

    Private proteins are left out, unless --private is given.
    """
    from interplm_wh.suggest import measure_suggestions, suggest, write_suggestions

    listing = {"concept", "min_precision", "with_private", "form", "output"}
    if refused := _options(ctx, listing if measure else {"hide", "hide_by", "seed"}):
        raise click.UsageError(f"{refused} {'cannot go' if measure else 'goes only'} with --measure")
    if measure:
        for found in measure_suggestions(ctx.obj, sae=sae, pct_hidden=hide, hide_by=hide_by, seed=seed):
            show(found)
        return
    report = suggest(
        ctx.obj, sae=sae, concept=concept, min_precision=min_precision, with_private=with_private
    )
    write_suggestions(report, output or sys.stdout.buffer, form=form)
    for note in report.notes():
        click.echo(note, err=True)


@cli.command()
@click.option("--sae", required=True, help="SAE whose features are interpreted.")
@click.option("--model", required=True, help="Model, as the endpoint names it.")
@click.option("--base-url", metavar="URL",
              help="OpenAI-compatible endpoint; by default $OPENAI_BASE_URL, else OpenAI's.")  # fmt: skip
@click.option("--feature", "features", multiple=True, type=click.IntRange(min=0),
              help="Interpret this feature; repeat for more.")  # fmt: skip
@click.option("--sample", default=100, show_default=True, type=click.IntRange(min=1),
              help="Without --feature: draw so many features.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option("--price-in", type=click.FloatRange(min=0), help="Price of a million tokens that are sent.")
@click.option("--price-out", type=click.FloatRange(min=0), help="Price of a million tokens of answers.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, with the first prompt; send nothing.")
@click.option("--yes", is_flag=True, help="Send without asking; needed where there is no terminal.")
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 16),
              help="Prompts on the way at once.")  # fmt: skip
@click.option("--timeout", default=120.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="Seconds for one answer.")  # fmt: skip
@click.option("--max-tokens", default=4000, show_default=True, type=click.IntRange(min=1),
              help="Tokens of one answer at most.")  # fmt: skip
@click.pass_context
def interpret(
    ctx: click.Context, sae: str, model: str, base_url: str | None, features: tuple[int, ...], sample: int,
    seed: int, price_in: float | None, price_out: float | None, dry_run: bool, yes: bool, concurrency: int,
    timeout: float, max_tokens: int,
) -> None:  # fmt: skip
    """Let a language model say what features are, and score what it says on proteins that it was not shown.

    The key is taken from $OPENAI_API_KEY. The cost is said before anything is sent; private proteins never
    are. The same command goes on where it was cut off, and pays for nothing twice.
    """
    from interplm_wh.interpret import Cost, InterpretReport, interpret

    if features and (refused := _options(ctx, {"sample", "seed"})):
        raise click.UsageError(f"{refused} cannot go with --feature")

    def confirm(cost: Cost) -> bool:
        click.echo("\n".join(cost.lines()), err=True)
        if yes:
            return True
        if not sys.stdin.isatty():
            raise click.UsageError("there is no terminal to ask whether to send this; give --yes")
        return click.confirm("Send them?", err=True)

    report = interpret(
        ctx.obj, sae, model=model, confirm=confirm, features=features, sample=sample, seed=seed,
        base_url=base_url, price_in=price_in, price_out=price_out, dry_run=dry_run, concurrency=concurrency,
        timeout=timeout, max_tokens=max_tokens,
    )  # fmt: skip
    show(report)
    if isinstance(report, InterpretReport) and not report.n_described:
        raise SystemExit(1)


@cli.command()
@click.option("--sae", required=True, help="SAE whose features are described.")
@click.option("--feature", "features", multiple=True, type=click.IntRange(min=0),
              help="Describe this feature; repeat for more. By default all that can be.")  # fmt: skip
@click.option("--sample", type=click.IntRange(min=1), help="Draw so many features.")
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.pass_context
def describe(ctx: click.Context, sae: str, features: tuple[int, ...], sample: int | None, seed: int) -> None:
    """Describe features by plain sentences from the tables, scored as `interpret` scores a model's words."""
    from interplm_wh.interpret import describe

    if features and (refused := _options(ctx, {"sample", "seed"})):
        raise click.UsageError(f"{refused} cannot go with --feature")
    show(describe(ctx.obj, sae, features=features, sample=sample, seed=seed))


@cli.command()
@click.argument("sae")
@click.argument("feature", type=click.IntRange(min=0))
@click.argument("verdict", type=click.Choice(["confirmed", "spurious"]))
@click.option("--source", help="Whose words: a model, or describe; needed where there are several.")
@click.option("--note", help="Why.")
@click.option("--by", "judge", metavar="NAME", help="Who says so; by default your name on this machine.")
@click.pass_obj
def verdict(
    warehouse: Path, sae: str, feature: int, verdict: Literal["confirmed", "spurious"], source: str | None,
    note: str | None, judge: str | None,
) -> None:  # fmt: skip
    """Keep what you say of the words on a feature; the last verdict counts."""
    from interplm_wh.interpret import verdict as keep_verdict

    show(keep_verdict(warehouse, sae, feature, verdict=verdict, source=source, note=note, judge=judge))


@cli.command()
@click.option("--sae", help="One SAE only; by default every one that is no control.")
@click.option(
    "--concept",
    "concepts",
    multiple=True,
    help="List these concepts alone; repeat for more. Rules are searched for all.",
)
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "csv", "json"]), help="json: one object per line.")  # fmt: skip
@click.pass_obj
def rules(warehouse: Path, sae: str | None, concepts: tuple[str, ...], form: str) -> None:
    """Search rules of two and three features (and, or, not) that find a concept better than one does."""
    from interplm_wh.ask import write_rows
    from interplm_wh.rules import rules

    report = rules(warehouse, sae=sae, concepts=concepts)
    if form == "table":
        show(report)
    else:
        write_rows(report.rows, sys.stdout.buffer, form=form)  # type: ignore[arg-type]


@cli.command()
@click.option("--sae", required=True, help="SAE whose features are set.")
@click.option(
    "--feature",
    "features",
    type=click.IntRange(min=0),
    multiple=True,
    help="Feature to set; repeat for more.",
)
@click.option("--feature-sql", metavar="SELECT", help="Set the features that a SELECT gives, column feature.")
@click.option("--clamp", metavar="V,V,…", help="Doses: set to this, where 1 is the feature's scale.")
@click.option("--scale", metavar="V,V,…", help="Doses: multiply by this; 0 takes the feature out.")
@click.option("--protein", "proteins", multiple=True, help="Protein of the warehouse; repeat for more.")
@click.option("--sequence", metavar="LETTERS", help="A sequence instead of proteins.")
@click.option("--positions", metavar="1-5,9", help="Residues to edit, from 1; all by default.")
@click.option("--mask", default="all", show_default=True, metavar="all|none|1-5,9",
              help="Mask and measure each residue in turn, or these; none: the PLM sees all.")  # fmt: skip
@click.option("--controls", "n_controls", default=100, show_default=True, type=click.IntRange(min=0),
              help="Other live features to move as far, 100 or more; 0 for none.")  # fmt: skip
@click.option("--watch", metavar="all|1-5,9", help="Where controls are compared; 8 + 8 residues by default.")
@click.option(
    "--read", multiple=True, help="SAE in which the moves of other features are read; repeat for more."
)
@click.option("--sample", "n_samples", default=0, show_default=True, type=click.IntRange(min=0),
              help="Sample so many sequences per dose, and as many without steering.")  # fmt: skip
@click.option("--sweeps", "n_sweeps", default=1, show_default=True, type=click.IntRange(min=1),
              help="With --sample: how often each residue is drawn anew.")  # fmt: skip
@click.option("--temperature", default=1.0, show_default=True, type=click.FloatRange(min=0, min_open=True),
              help="With --sample: of the draws.")  # fmt: skip
@click.option("--resample", metavar="1-5,9", help="With --sample: residues that are drawn; all by default.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1),
              help="Seed of controls, watched residues and samples.")  # fmt: skip
@click.option("--device", help="For instance cpu or cuda; the fastest there is by default.")
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Number format of the PLM.",
)
@click.pass_context
def steer(
    ctx: click.Context, sae: str, features: tuple[int, ...], feature_sql: str | None, clamp: str | None,
    scale: str | None, proteins: tuple[str, ...], sequence: str | None, positions: str | None, mask: str,
    n_controls: int, watch: str | None, read: tuple[str, ...], n_samples: int, n_sweeps: int,
    temperature: float, resample: str | None, seed: int, device: str | None,
    dtype: Literal["float32", "bfloat16", "float16"],
) -> None:  # fmt: skip
    """Set features inside the PLM, and measure what it predicts then, beside controls."""
    from interplm_wh.steer import steer

    if not features and feature_sql is None:
        raise click.UsageError("give --feature or --feature-sql")
    if (clamp is None) == (scale is None):
        raise click.UsageError("give either --clamp or --scale")
    if bool(proteins) == (sequence is not None):
        raise click.UsageError("give either --protein or --sequence")
    if not n_samples and (refused := _options(ctx, {"n_sweeps", "temperature", "resample"})):
        raise click.UsageError(f"{refused} goes only with --sample")
    if not n_controls and watch is not None:
        raise click.UsageError("--watch goes only with --controls")
    report = steer(
        ctx.obj, sae, features=features, features_sql=feature_sql,
        clamp=_numbers(clamp, "--clamp") or (), scale=_numbers(scale, "--scale") or (),
        proteins=proteins, sequence=sequence, positions=positions, mask=mask, watch=watch,
        n_controls=n_controls, read=read, n_samples=n_samples, n_sweeps=n_sweeps, temperature=temperature,
        resample=resample, seed=seed, device=device, dtype=dtype,
    )  # fmt: skip
    show(report)


@cli.command()
@click.argument("sql")
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "csv", "json", "parquet"]),
              help="json: one object per line.")  # fmt: skip
@click.pass_obj
def query(warehouse: Path, sql: str, form: str) -> None:
    """Answer one SELECT; it only reads, and may join files of your own."""
    from interplm_wh.ask import query, write_rows

    write_rows(query(warehouse, sql), sys.stdout.buffer, form=form)  # type: ignore[arg-type]


@cli.command()
@click.option("--sae", required=True, help="SAE whose features are compared.")
@click.option("--protein", required=True, metavar="ACCESSION", help="Wild type: a protein of the warehouse.")
@click.option("--mutation", "mutations", multiple=True, metavar="A12V",
              help="A variant, also p.Ala12Val or A12V:G20D; repeat for more.")  # fmt: skip
@click.option("--mutations", "file", metavar="FILE", type=click.Path(path_type=Path),
              help="CSV, TSV or Parquet with a column mutant, mutation or variant.")  # fmt: skip
@click.option("--scan", metavar="10-40|all", help="All single substitutions of a stretch.")
@click.option("--measured", "effects", metavar="FILE", type=click.Path(path_type=Path),
              help="Such a file with the measured effect of each: correlate.")  # fmt: skip
@click.option("--column", default="DMS_score", show_default=True,
              help="With --measured: its column with the effect.")  # fmt: skip
@click.option("--feature", "features", multiple=True, type=int,
              help="Rank by the change of this feature alone; repeat for more.")  # fmt: skip
@click.option("--min-change", type=float,
              help="Leave out changes of activation up to this; as before, or 0.05.")  # fmt: skip
@click.option(
    "--dtype", default="float32", show_default=True, type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Number format of the PLM.",
)  # fmt: skip
@click.option("--device", help="For instance cpu or cuda; the fastest there is by default.")
@click.pass_context
def variants(
    ctx: click.Context, sae: str, protein: str, mutations: tuple[str, ...], file: Path | None,
    scan: str | None, effects: Path | None, column: str, features: tuple[int, ...],
    min_change: float | None, dtype: str, device: str | None,
) -> None:  # fmt: skip
    """Compare variants of a protein with the wild type: what each changes, of every feature, per residue.

    Of --mutation, --mutations and --scan give one; without any, those of --measured are taken, else those
    that were compared before.
    """
    from interplm_wh.variants import variants

    if sum([bool(mutations), file is not None, scan is not None]) > 1:
        raise click.UsageError("give one of --mutation, --mutations and --scan")
    if effects is None and (refused := _options(ctx, {"column"})):
        raise click.UsageError(f"{refused} goes only with --measured")
    report = variants(
        ctx.obj, sae, protein, mutations=mutations, file=file, scan=scan, effects=effects, column=column,
        features=features, min_change=min_change, dtype=dtype, device=device,
    )  # fmt: skip
    show(report)


@cli.command()
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address that is listened on; there is no password.",
)
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser.")
@click.pass_obj
def dashboard(warehouse: Path, host: str, port: int, browser: bool) -> None:
    """Serve pages to explore the warehouse in a browser."""
    from interplm_wh.dashboard import serve

    sys.exit(serve(warehouse, host=host, port=port, open_browser=browser))


@cli.command()
@click.pass_obj
def shell(warehouse: Path) -> None:
    """Open the DuckDB shell on the warehouse, read-only."""
    from interplm_wh.ask import shell

    raise SystemExit(shell(warehouse))


@cli.command()
@click.pass_obj
def info(warehouse: Path) -> None:
    """Say what is in the warehouse, and what is out of date."""
    from interplm_wh.ask import info

    show(info(warehouse))


@cli.command()
@click.pass_obj
def verify(warehouse: Path) -> None:
    """Check every rule of the schemas and every file; exit code 1 where something is wrong."""
    from interplm_wh.ask import verify

    report = verify(warehouse)
    show(report)
    if not report.is_sound:
        raise SystemExit(1)


@cli.command()
@click.pass_obj
def vacuum(warehouse: Path) -> None:
    """Remove folders and files that no catalogue names any more and that are older than a day."""
    from interplm_wh.store import vacuum

    show(vacuum(warehouse))


@cli.command()
@click.argument("destination")
@click.option("--lake", is_flag=True, help="Publish the table activations as well: most of the bytes.")
@click.option("--with-private", is_flag=True, help="Publish private proteins, too; refused without.")
@click.pass_obj
def publish(warehouse: Path, destination: str, lake: bool, with_private: bool) -> None:
    """Publish the warehouse to DESTINATION: hf://ORG/NAME, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, a folder.

    Each publish is a version that never changes; what is there is not sent again. Credentials are those of
    the tools of each store.
    """
    from interplm_wh.remote.publish import publish

    show(publish(warehouse, destination, lake=lake, with_private=with_private))


@cli.command()
@click.argument("source")
@click.pass_obj
def pull(warehouse: Path, source: str) -> None:
    """Fetch a published warehouse from SOURCE into a new one, and check every file.

    SOURCE is hf://ORG/NAME, s3://, gs://, http(s):// or a folder; #2 behind it is version 2.
    """
    from interplm_wh.remote.pull import pull

    show(pull(warehouse, source))


@cli.group()
def export() -> None:
    """Write what is in the warehouse in the formats of other tools."""


@export.command("sae")
@click.argument("name")
@click.option(
    "--format", "form", required=True, type=click.Choice(["saelens", "interplm"]), help="What is to read it."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--normalised", is_flag=True, help="Bake the scale into the weights (interplm).")
@click.option("--force", is_flag=True, help="Replace an export that is there.")
@click.pass_obj
def export_sae(
    warehouse: Path, name: str, form: Literal["saelens", "interplm"], output: Path, normalised: bool,
    force: bool,
) -> None:  # fmt: skip
    """Write an SAE as SAELens or InterPLM reads it."""
    from interplm_wh.sae.export import export_sae

    show(export_sae(warehouse, name, form=form, output=output, normalised=normalised, force=force))


@export.command("matrix")
@click.argument("sae")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--by", default="protein", show_default=True, type=click.Choice(["protein", "residue"]),
              help="Rows: proteins with the highest activation of each feature, or residues.")  # fmt: skip
@click.option("--split", type=click.Choice(["train", "valid", "test"]), help="Proteins of this split alone.")
@click.option(
    "--protein", "proteins", multiple=True, metavar="ACCESSION", help="This one alone; repeat for more."
)
@click.option("--private", "with_private", is_flag=True, help="Take private proteins in, too.")
@click.option("--force", is_flag=True, help="Replace the file.")
@click.pass_obj
def export_matrix(
    warehouse: Path, sae: str, output: Path, by: Literal["protein", "residue"],
    split: Literal["train", "valid", "test"] | None, proteins: tuple[str, ...], with_private: bool,
    force: bool,
) -> None:  # fmt: skip
    """Write the activations of an SAE as a sparse AnnData matrix, OUTPUT.h5ad.

    Activations are normalised: 1 is the scale of the feature.
    """
    from interplm_wh.export.matrix import export_matrix

    report = export_matrix(
        warehouse, sae, output, by=by, split=split, proteins=proteins, with_private=with_private, force=force
    )
    show(report)


@export.command("table")
@click.argument("name")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file.")
@click.pass_obj
def export_table(warehouse: Path, name: str, output: Path, force: bool) -> None:
    """Write a table or view, whatever its size, to OUTPUT: .csv, .tsv or .parquet (.csv.gz, .tsv.gz)."""
    from interplm_wh.export.table import export_table

    show(export_table(warehouse, name, output, force=force))


@cli.group()
def remove() -> None:
    """Take an SAE, proteins, a source of annotations or what is damaged out of the warehouse."""


@remove.command("sae")
@click.argument("name")
@click.pass_obj
def remove_sae(warehouse: Path, name: str) -> None:
    """Remove an SAE with its activations and tables."""
    from interplm_wh.remove import remove_sae

    show(remove_sae(warehouse, name))


@remove.command("proteins")
@click.argument("accessions", nargs=-1, required=True)
@click.pass_obj
def remove_proteins(warehouse: Path, accessions: tuple[str, ...]) -> None:
    """Remove proteins, with all that is known of them."""
    from interplm_wh.remove import remove_proteins

    show(remove_proteins(warehouse, accessions))


@remove.command("source")
@click.argument("name")
@click.pass_obj
def remove_source(warehouse: Path, name: str) -> None:
    """Remove a source of annotations with its concepts."""
    from interplm_wh.remove import remove_source

    show(remove_source(warehouse, name))


@remove.command("damaged")
@click.pass_obj
def remove_damaged(warehouse: Path) -> None:
    """Remove words, steering, variants and the like whose files are damaged, to be made anew."""
    from interplm_wh.remove_damaged import remove_damaged

    show(remove_damaged(warehouse))


def _need_one(files: tuple[Path, ...], other: str | None, what: str) -> None:
    if not files and other is None:
        raise click.UsageError(f"give {what}")


def _given(ctx: click.Context) -> set[str]:
    """Return the names of the parameters that the command line names."""
    default = click.core.ParameterSource.DEFAULT
    return {name for name in ctx.params if ctx.get_parameter_source(name) is not default}


def _options(ctx: click.Context, names: set[str]) -> str:
    """Return those of some options that the command line names, as it names them."""
    given = _given(ctx) & names
    return ", ".join(p.opts[0] for p in ctx.command.params if p.name in given)


def _numbers(text: str | None, option: str) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise click.UsageError(f"{option} takes numbers with commas between, not {text!r}") from None


def main() -> None:
    """Run the command line; errors go to standard error with exit code 1, wrong usage with 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    arguments = [word for word in sys.argv[1:] if word != _DEBUG]  # it may stand anywhere
    debug = len(arguments) < len(sys.argv) - 1
    # Read when torch is loaded: threads that wait must not hold a core that another process needs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's end is like Ctrl-C
    try:
        cli.main(arguments, prog_name="interplm-wh", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        _fail(STOPPED)
    except InterplmError as error:
        if debug:
            raise
        _fail(str(error), arguments)
    except Exception as error:  # the outermost boundary: a user sees no traceback
        if debug:
            raise
        _fail(explain(error), arguments)


def _fail(message: str, arguments: Sequence[str] = ()) -> None:
    root = cli.make_context("interplm-wh", list(arguments), resilient_parsing=True)
    click.echo(f"Error: {_pointed(message, root)}", err=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
