"""The command line: exit codes, clean output, and every command as a function."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import small

import interplm_wh
from interplm_wh import build, commands, docs
from interplm_wh.cli import cli
from interplm_wh.ingest import (
    activation_blocks,
    annotation_formats,
    annotation_lines,
    annotation_names,
    proteins,
)
from interplm_wh.split import clusters
from interplm_wh.structures import chain_map

Run = subprocess.CompletedProcess[bytes]


def run(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "interplm_wh", *map(str, arguments)],
        capture_output=True, check=False, cwd=cwd, env={**os.environ, **(env or {})},
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small.make(tmp_path_factory.mktemp("cli") / "w")
    build.build(path, min_residues=5, min_domains=3)
    return path


def test_the_reference_page_holds_what_help_prints() -> None:
    page = docs.cli_page()
    for words in ([], ["add", "sae"], ["build"]):
        asked = run(*words, "--help", env={"COLUMNS": "120"}).stdout.decode()
        assert asked.strip() in page


def test_every_command_is_a_function_of_the_same_name() -> None:
    verbs = set()
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            verbs |= {f"{name}_{child}" for child in command.commands}
        else:
            verbs.add(name)
    assert verbs == set(commands.__all__)
    assert all(callable(getattr(commands, verb)) for verb in verbs)


def test_the_public_names_are_these() -> None:
    assert set(interplm_wh.__all__) == {
        "InterplmError", "Warehouse", "__version__", "commands", "load_plm", "load_sae", "open",
    }  # fmt: skip
    for name in interplm_wh.__all__:
        assert getattr(interplm_wh, name) is not None


def test_help_loads_neither_torch_nor_duckdb() -> None:
    script = (
        "import sys\nfrom interplm_wh.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = ('torch', 'duckdb', 'pyarrow', 'polars', 'transformers', 'numpy')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("arguments", "code"), [
    (["info"], 1),
    (["frobnicate"], 2),
    (["build", "--presence", "much"], 2),
    (["build", "--thresholds", "low"], 2),
    (["add", "proteins"], 2),
    (["-w", "", "info"], 2),
    (["--version"], 0),
])  # fmt: skip
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int) -> None:
    done = run("-w", tmp_path / "nowhere", *arguments)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    if code:
        assert done.stdout == b""
        assert done.stderr


def test_an_error_is_one_message_unless_debug(tmp_path: Path) -> None:
    plain = run("-w", tmp_path / "nowhere", "info")
    assert plain.stderr.startswith(b"Error: there is no warehouse at")
    assert b"init" in plain.stderr
    debug = run("--debug", "-w", tmp_path / "nowhere", "info")
    assert b"Traceback" in debug.stderr


def test_memory_that_does_not_suffice_says_how_to_give_more(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    command = ("-w", copy, "build", "--thresholds", "0.3")
    for limit, words in (("much", b"'much', which is no amount"), ("1MB", b"INTERPLM_WH_MEMORY=8GB")):
        done = run(*command, env={"INTERPLM_WH_MEMORY": limit})
        assert done.returncode == 1 and words in done.stderr and b"Traceback" not in done.stderr
    assert run(*command, env={"INTERPLM_WH_MEMORY": "1GB"}).returncode == 0


def test_the_warehouse_is_taken_from_the_environment(built: Path, tmp_path: Path) -> None:
    done = run(
        "query", "select count(*) as n from proteins", "--format", "csv", env={"INTERPLM_WH": str(built)}
    )
    assert done.stdout == b'"n"\n20\n'
    assert run("query", "select 1", cwd=tmp_path, env={"INTERPLM_WH": ""}).returncode == 1


def test_query_prints_every_format_clean(built: Path) -> None:
    sql = "select accession, length from proteins order by accession limit 2"
    csv = run("-w", built, "query", sql, "--format", "csv")
    assert csv.stderr == b""
    assert pyarrow.csv.read_csv(io.BytesIO(csv.stdout)).to_pydict() == {
        "accession": ["P0000", "P0001"], "length": [30, 30],
    }  # fmt: skip
    parquet = run("-w", built, "query", sql, "--format", "parquet")
    assert pq.read_table(io.BytesIO(parquet.stdout)).num_rows == 2
    rows = run("-w", built, "query", sql, "--format", "json").stdout.splitlines()
    assert json.loads(rows[1]) == {"accession": "P0001", "length": 30}
    table = run("-w", built, "query", sql).stdout.decode()
    assert "P0001" in table
    assert "accession" in table


@pytest.mark.parametrize(
    "words",
    [
        ("query", ""),
        ("report", "--sae", ""),
        ("add", "annotations", "x.csv", "--covers", ""),
        ("add", "sae", ""),
    ],
)
def test_an_empty_argument_is_wrong_usage(built: Path, words: tuple[str, ...]) -> None:
    done = run("-w", built, *words)
    assert done.returncode == 2
    assert b"an argument is empty" in done.stderr


def test_debug_may_stand_anywhere(built: Path) -> None:
    for words in (("--debug", "query", "selekt"), ("query", "selekt", "--debug")):
        done = run("-w", built, *words)
        assert done.returncode == 1
        assert b"Traceback" in done.stderr


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_every_type_is_written_in_every_format(built: Path, form: str) -> None:
    sql = (
        "select [1] as l, {'a': [1]} as s, map {1: 2} as m, interval 1 day as i, '\\x00'::blob as b, "
        "time '10:00' as t, timestamptz '2020-01-01' as z, uuid() as u, null as n, 1.5::decimal(9, 2) as d, "
        "1::hugeint as h, ['\\x00'::blob] as lb, date '2020-01-01' as y, 'x' as x"
    )
    done = run("-w", built, "query", sql, "--format", form)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_query_explains(built: Path) -> None:
    assert b"PROJECTION" in run("-w", built, "query", "explain select 1").stdout.upper()
    assert b"TOTAL TIME" in run("-w", built, "query", "Explain  Analyze\nselect 1").stdout.upper()


def test_csv_holds_lists_structs_and_intervals_as_text(built: Path) -> None:
    sql = (
        "select [1, 2] as l, {'a': 1} as s, interval 3 day as i, 'x'::blob as b, time '10:00' as t, 1.5 as d"
    )
    done = run("-w", built, "query", sql, "--format", "csv")
    assert done.stdout == b'"l","s","i","b","t","d"\n"[1, 2]","{\'a\': 1}","3 days","x","10:00:00",1.5\n'


def test_query_joins_a_file_of_the_user(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("accession,measured\nP0003,1.5\n")
    sql = "select p.length, m.measured from 'mine.csv' as m join proteins as p using (accession)"
    assert run("-w", built, "query", sql, "--format", "csv", cwd=tmp_path).stdout.splitlines()[1] == b"30,1.5"


def test_query_reads_files_of_every_kind_and_leaves_them_as_they_are(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("accession,measured\nP0003,1.5\n")
    (tmp_path / "mine.json").write_text('{"accession": "P0003", "measured": 1.5}\n')
    pq.write_table(pa.table({"accession": ["P0003"], "measured": [1.5]}), tmp_path / "mine.parquet")
    with duckdb.connect(tmp_path / "mine.duckdb") as con:
        con.execute("create table mine as select 'P0003' as accession, 1.5::double as measured")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for mine in (
        "read_csv('mine.csv')", "read_json('mine.json')", "read_parquet('mine.parquet')", "'mine.parquet'",
        "read_duckdb('mine.duckdb', table_name = 'mine')",
    ):  # fmt: skip
        sql = f"select length, measured from {mine} join proteins using (accession)"
        done = run("-w", built, "query", sql, "--format", "csv", cwd=tmp_path)
        assert done.stdout == b'"length","measured"\n30,1.5\n', done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "sql",
    [
        "create table x as select 1",
        "copy proteins to 'stolen.csv'",
        "delete from saes",
        "select 1; select 2",
        "attach 'other.db'",
        "explain analyze copy (select 1) to 'stolen.csv'",
        "explain copy (select 1) to 'stolen.csv'",
        "/**/ explain analyze explain analyze copy (select 1) to 'stolen.csv'",
        "with x as (copy (select 1) to 'stolen.csv') select 1",
        "select (with x as (copy (select 1) to 'stolen.csv') select 1)",
        "explain analyze with x as (copy (select 1) to 'stolen.csv') select 1",
        "from json_execute_serialized_sql(json_serialize_sql("
        "'with x as (copy (select 1) to ''stolen.csv'') select 1'))",
        "from query('with x as (copy (select 1) to ''stolen.csv'') select 1')",
        "from enable_logging('QueryLog', storage = 'file', storage_path = 'logs')",
        "from enable_profiling(save_location = 'profile.txt')",
        "from checkpoint('wh')",
        "with x as (delete from saes returning *) select * from x",
        "selekt 1",
        "select * from nowhere",
    ],
)
def test_query_only_reads(built: Path, tmp_path: Path, sql: str) -> None:
    before = (built / "warehouse.duckdb").read_bytes()
    done = run("-w", built, "query", sql, cwd=tmp_path)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert (built / "warehouse.duckdb").read_bytes() == before


def test_report_prints_what_the_macros_answer(built: Path) -> None:
    text = run("-w", built, "report", "--pairs", "1").stdout.decode()
    with interplm_wh.open(built) as wh:
        best = wh.sql("from report_pairs('a') where not is_amino_acid").to_pylist()[0]
        summary = wh.sql("from report_summary('a')").to_pylist()[0]
    assert f"concepts found            {summary['n_concepts_found']}" in text
    assert best["concept"] in text
    assert f"{best['test_f1_per_domain']:.3f}" in text
    assert "1 more: report --pairs 2" in text
    assert run("-w", built, "report", "--sae", "z").returncode == 1


def test_verify_says_sound_or_ends_with_one(built: Path, tmp_path: Path) -> None:
    assert run("-w", built, "verify").returncode == 0
    damaged = small.make(tmp_path / "w")
    part = next((damaged / "lake" / "activations").rglob("*.parquet"))
    part.write_bytes(b"PAR1" + part.read_bytes()[4:-1] + b"2")
    done = run("-w", damaged, "verify")
    assert done.returncode == 1
    assert part.name.encode() in done.stdout


def test_a_damaged_warehouse_is_said_to_be_so_and_verify_is_named(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    lab = tmp_path / "lab.csv"
    lab.write_text("accession,start,stop,concept\nP0001,2,5,patch\n")
    part = next((path / "lake" / "proteins").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    works: tuple[tuple[str | Path, ...], ...] = (
        ("build",), ("info",), ("query", "from proteins"), ("add", "annotations", lab),
        ("remove", "proteins", "P0001"), ("remove", "source", "mine"),
    )  # fmt: skip
    for words in works:
        done = run("-w", path, *words)
        said = done.stderr.decode()
        assert done.returncode == 1, (words, said)
        assert "verify" in said, (words, said)
        assert "--debug" not in said and str(lab) not in said, (words, said)


def test_hints_name_the_warehouse_that_was_named(built: Path, tmp_path: Path) -> None:
    path = shutil.copytree(built, tmp_path / "it's here")
    next((path / "lake" / "proteins").rglob("*.parquet")).unlink()
    words = f"interplm-wh -w {shlex.quote(str(path))} verify"
    assert words in run("-w", path, "query", "from proteins").stderr.decode()
    assert words in run("-w", path, "info").stderr.decode() + run("-w", path, "info").stdout.decode()
    by_name = run("query", "from proteins", env={"INTERPLM_WH": str(path)}).stderr.decode()
    assert "interplm-wh verify" in by_name and words not in by_name


def test_an_sae_can_be_removed_although_proteins_are_damaged(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    part = next((path / "lake" / "proteins").rglob("*.parquet"))
    data = part.read_bytes()
    part.write_bytes(data[:100])
    done = run("-w", path, "remove", "sae", "a")
    assert done.returncode == 0, done.stderr
    assert b"proteins cannot be read" in run("-w", path, "query", "from proteins").stderr
    part.write_bytes(data)
    assert run("-w", path, "verify").returncode == 0
    assert b"20" in run("-w", path, "query", "select count(*) as n from proteins").stdout


def test_the_shell_opens_the_warehouse_from_any_folder(built: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "interplm_wh", "-w", str(built), "shell"],
        input=b".mode csv\nselect count(*) as n from feature_examples('a', 1);\n"
        b"select count(*) > 0 as m from activations;",
        capture_output=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"n\r\n10" in done.stdout or b"n\n10" in done.stdout
    assert b"true" in done.stdout


def test_answers_are_the_same_as_arrow_and_polars(built: Path) -> None:
    with interplm_wh.open(built) as wh:
        arrow = wh.sql("from feature_stats order by feature")
        frame = wh.polars("from feature_stats order by feature")
    assert frame.to_arrow().to_pylist() == arrow.to_pylist()
    assert wh.path == built


def test_the_page_of_inputs_names_every_column() -> None:
    text = (Path(__file__).parents[1] / "docs" / "inputs.md").read_text()
    tables = (
        *proteins.TABLE, annotation_lines.REQUIRED, annotation_lines.OPTIONAL, annotation_lines.SCORES,
        annotation_formats.PFAM_KEYS, annotation_names.ANNOTATION_FORMATS, clusters.MEMBERS,
        clusters.CLUSTERS, activation_blocks.COLUMNS, chain_map.COLUMNS,
    )  # fmt: skip
    assert [name for names in tables for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", sorted(docs.pages()))
def test_reference_pages_are_not_stale(page: str) -> None:
    folder = Path(__file__).parents[1] / "docs"
    assert (folder / page).read_text() == docs.pages()[page], "run: make docs"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_stopped_says_so_and_the_next_completes_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = small.make(tmp_path / "w", n=400)
    command = [sys.executable, "-m", "interplm_wh", "-w", str(path), "build"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lock = path / ".lock"
    while process.poll() is None and b"build" not in lock.read_bytes():
        time.sleep(0.01)  # until it holds the lock, so that it is stopped in the midst of its work
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert b"stopped" in err
    assert b"Traceback" not in err
    assert run("-w", path, "verify").returncode == 0
    assert run("-w", path, "build").returncode == 0
    assert b"every table is up to date" in run("-w", path, "info").stdout
