"""Publishing to a folder and pulling from it: what is there, what is not, and what a kill leaves."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import published
import pytest
import small
from click.testing import CliRunner
from pages import opened, said

from interplm_wh import commands, store
from interplm_wh.cli import _READ_ANYWHERE, cli
from interplm_wh.errors import CheckError, InputError, InterplmError, NotThereError
from interplm_wh.remote import scrub
from interplm_wh.remote.publish import publish
from interplm_wh.remote.pull import pull
from interplm_wh.store import layout

NOT_AS_THEY_WERE = ("runs",)  # the paths in their settings are shortened


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    published.isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse; never to be changed."""
    return published.make(tmp_path_factory.mktemp("built").resolve() / "w")


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(built, tmp_path.resolve() / "own")


def add_private(root: Path, accession: str = "P0003") -> None:
    """Say of a protein that it is private, in the way of a user: the file is given again."""
    with store.write(root, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(
            folder,
            "select * replace (is_private or accession = $who as is_private) from proteins",
            {"who": accession},
        )
        tx.replace("proteins", [folder])
        tx.publish()


def test_a_published_warehouse_answers_in_place_and_pulled_as_it_does_here(
    built: Path, tmp_path: Path
) -> None:
    report = publish(built, tmp_path / "out", lake=True)
    assert (report.is_new, report.version.partition("-")[0]) == (True, "1")
    here = published.answers(built, without=NOT_AS_THEY_WERE)
    assert published.answers(tmp_path / "out", without=NOT_AS_THEY_WERE) == here
    fetched = pull(tmp_path / "back", tmp_path / "out")
    assert (fetched.n_files, fetched.n_bytes) == (report.n_files, report.n_bytes)
    assert published.answers(tmp_path / "back", without=NOT_AS_THEY_WERE) == here
    for where in (tmp_path / "out", tmp_path / "back"):
        assert commands.verify(where).lines()[0].endswith("sound")
        assert commands.report(where).lines() == commands.report(built).lines()
    # A pulled one is a warehouse like any other: it can be gone on from.
    with store.write(tmp_path / "back", command="test") as tx:
        small.add_proteins(tx, 2)
        tx.publish()
    assert commands.query(tmp_path / "back", "select count(*) as n from proteins")["n"].to_pylist() == [22]


def test_without_the_lake_marts_answer_and_what_needs_activations_says_what_to_do(
    built: Path, tmp_path: Path
) -> None:
    publish(built, tmp_path / "out")
    assert not (tmp_path / "out/lake/activations").exists()
    pull(tmp_path / "back", tmp_path / "out")
    examples = commands.query(built, "from feature_examples('a', 2)")
    for where in (tmp_path / "out", tmp_path / "back"):
        assert commands.query(where, "from feature_examples('a', 2)") == examples
        assert commands.verify(where).left_out == ("activations",)
        assert commands.verify(where).is_sound
        assert commands.info(where).left_out == ["activations"]
        for table in ("activations", "feature_activations"):
            with pytest.raises(InterplmError, match="left out when this warehouse was published; pull one"):
                commands.query(where, f"select count(*) from {table}")
    assert commands.build(tmp_path / "back").lines()  # nothing to do, nothing lost
    assert commands.query(tmp_path / "back", "from feature_examples('a', 2)") == examples


@pytest.mark.parametrize("lake", [False, True])
def test_a_pulled_warehouse_opens_in_the_dashboard_and_in_plain_duckdb(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: bool
) -> None:
    publish(built, tmp_path / "out", lake=lake)
    back = pull(tmp_path / "back", tmp_path / "out").warehouse
    for address, query in (
        ("overview", {}), ("feature", {"sae": "a", "feature": "2"}),
        ("protein", {"sae": "a", "protein": "P0003"}),
    ):  # fmt: skip
        assert "P0003" in said(opened(back, monkeypatch, address, **query)) or address == "overview"
    asked = "select accession, position from feature_examples('a', 2) order by all"
    rows = commands.query(built, asked).to_pylist()
    shown = shell(back, asked)
    assert shown.stdout.splitlines()[1:] == [f"{row['accession']},{row['position']}" for row in rows]
    counted = shell(back, "select count(*) as n from activations")
    if lake:
        n = commands.query(built, "select count(*) as n from activations")["n"].to_pylist()[0]
        assert counted.stdout == f"n\n{n}\n"
    else:
        assert counted.returncode
        assert "left out when this warehouse was published" in counted.stderr


def shell(folder: Path, sql: str) -> subprocess.CompletedProcess[str]:
    """Ask DuckDB's own shell inside a warehouse."""
    words = [Path(sys.executable).with_name("duckdb"), "-readonly", "-csv", "warehouse.duckdb", sql]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_same_is_no_new_version_and_an_addition_sends_only_what_is_new(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = publish(own, out, lake=True)
    before = published.tree(out)
    again = publish(own, out, lake=True)
    assert (again.is_new, again.version, again.n_sent) == (False, first.version, 0)
    assert published.tree(out) == before
    old = published.answers(out)
    with store.write(own, command="test") as tx:
        small.add_proteins(tx, 3)
        tx.publish()
    second = publish(own, out, lake=True)
    assert (second.version.partition("-")[0], second.n_sent) == ("2", 2)  # a part and the catalogue
    # What was published is as it was, and can still be asked.
    after = published.tree(out)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"README.md", "published.json"}
    assert published.answers(f"{out}#1") == published.answers(f"{out}#{first.version}") == old
    count = "select count(*) as n from proteins"
    assert commands.query(f"{out}#1", count)["n"].to_pylist() == [20]
    assert commands.query(out, count)["n"].to_pylist() == [23]


def test_private_proteins_are_refused_with_their_number_unless_they_are_asked_for(
    own: Path, tmp_path: Path
) -> None:
    add_private(own)
    with pytest.raises(InputError, match=r"1 private proteins of 20 .*--with-private"):
        publish(own, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = publish(own, tmp_path / "out", with_private=True)
    assert report.n_private == 1
    assert "1 proteins that their owner marked as private" in (tmp_path / "out/README.md").read_text()


def test_tables_that_name_proteins_that_were_taken_out_are_refused(own: Path, tmp_path: Path) -> None:
    add_private(own, "P0006")
    with store.write(own, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(folder, "from proteins where not is_private")
        tx.replace("proteins", [folder])
        tx.drop("annotations")
        tx.drop("coverage")
        tx.drop("encodings")
        tx.drop("protein_features")
        tx.publish()
    with pytest.raises(CheckError, match=r"(?s)no longer there.*names P0006.*interplm-wh build"):
        publish(own, tmp_path / "out")


def test_nothing_is_said_of_private_proteins_that_were_removed(own: Path, tmp_path: Path) -> None:
    add_private(own, "P0006")
    commands.remove_proteins(own, ["P0006"])
    assert "P0006" in published.texts(own)  # which was removed, in the settings of the run
    publish(own, tmp_path / "out", lake=True)
    assert "P0006" not in published.texts(tmp_path / "out")


def test_input_rows_prompts_and_given_sequences_stay_behind(own: Path, tmp_path: Path) -> None:
    with store.write(own, command="test") as tx:
        for table, sae, source in (
            ("rejects", None, None), ("interpretation_prompts", "a", None),
            ("steering_runs", "a", "r1"), ("steering_effects", "a", "r1"), ("steering_runs", "a", "r2"),
        ):  # fmt: skip
            tx.con.execute("create or replace temp table one as " + _one_row(tx, table, source or ""))
            folder = tx.new_folder(table, sae=sae)
            tx.write_query(folder, "from one")
            tx.append(folder, source=source)
        tx.publish()
    report = publish(own, tmp_path / "out")
    said = published.texts(tmp_path / "out")
    assert "SECRETTEXT" in published.texts(own)
    assert "SECRETTEXT" not in said
    assert sum("steering runs of sequences that were given" in what for what in report.left_out) == 1
    assert commands.query(tmp_path / "out", "select run from steering_runs")["run"].to_pylist() == ["r2"]
    whole = publish(own, tmp_path / "all", with_private=True)
    assert not any("steering" in what for what in whole.left_out)


def _one_row(tx: store.Transaction, table: str, run: str) -> str:
    """Return a SELECT of one row that a table takes, with a text that nobody is to see."""
    from interplm_wh import schema

    cells = []
    for column in schema.table(table).columns:
        value = {"string": "'SECRETTEXT'", "timestamp": "now()::timestamp", "bool": "true"}.get(
            column.type, "1"
        )
        if column.values:
            value = f"'{column.values[0]}'"
        if column.name in ("run", "sae", "accession", "feature", "sequence"):
            given = {"run": f"'{run}'", "sae": "'a'", "accession": "null", "feature": "1"}
            value = given.get(column.name, "'SECRETTEXT'" if run == "r1" else "'ACD'")
        if run == "r2" and value == "'SECRETTEXT'":
            value = "'plain'"
        if run == "r2" and column.name == "is_private":
            value = "false"
        if column.max is not None and column.type.startswith("float"):
            value = "0"
        cells.append(f"{value} as {column.name}")
    return "select " + ", ".join(cells)


def test_no_path_of_the_machine_and_no_secret_is_published(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "s3cr3t/value+aws", "HF_TOKEN": "hf_secretvalueoftests"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    folder = own / "saes/a"
    folder.mkdir(parents=True)
    (folder / "sae.yaml").write_text(f"sae: a\nsource: {tmp_path}/models/ae.pt\n")
    (folder / "card.md").write_text(f"It is from `{tmp_path}/models/ae.pt`.\n")
    settings = {"files": [f"{tmp_path}/in/p.fasta"], "sql": f"select * from read_csv('{tmp_path}/in/x.csv')"}
    with store.write(own, command="test", settings=settings) as tx:
        tx.con.execute("update saes set source = ?", [f"{tmp_path}/models/ae.pt"])
        tx.publish()
    report = publish(own, tmp_path / "out", lake=True)
    pull(tmp_path / "back", tmp_path / "out")
    said = published.texts(tmp_path / "out") + "".join(capfd.readouterr())
    for path in (*tmp_path.glob("out/**/*"), *tmp_path.glob("back/**/*")):
        said += path.read_bytes().decode("latin-1") if path.is_file() else path.name
    for secret in (*secrets.values(), str(tmp_path), str(own.parent)):
        assert secret not in said
    assert str(tmp_path) in published.texts(own)
    assert "'source': 'ae.pt'" in said
    assert report.n_private == 0


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("/home/me/my models/esm", "esm"), ("~/models/esm", "esm"), ("file:///home/me/x.fasta", "x.fasta"),
        ("facebook/esm2_t6_8M_UR50D", "facebook/esm2_t6_8M_UR50D"),
        ("https://host/a/b", "https://host/a/b"), ("mg/ml and 1/2", "mg/ml and 1/2"),
        ("read_csv('/home/me/x.csv') where a / b > 1", "read_csv('x.csv') where a / b > 1"),
        ("P12345", "P12345"), ("", ""), ("/", "/"),
    ],
)  # fmt: skip
def test_of_paths_the_last_name_is_left(given: str, left: str) -> None:
    assert scrub.text(given) == left


def test_a_damaged_warehouse_is_not_published(built: Path, own: Path, tmp_path: Path) -> None:
    part = next((own / "lake/feature_stats").glob("*/*/*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(CheckError, match=r"(?s)feature_stats: .*bytes instead of.*nothing was published"):
        publish(own, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    flipped(next((own / "lake/features").glob("*/*/*.parquet")))  # of the right size
    shutil.copyfile(next(built.glob("lake/feature_stats/*/*/*.parquet")), part)
    with pytest.raises(CheckError, match=r"(?s)lake/features/.*was changed.*nothing was published"):
        publish(own, tmp_path / "out")
    assert not list(tmp_path.glob("out/**/*.parquet"))


def test_a_folder_with_other_things_is_not_published_to(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        publish(built, tmp_path / "mine")
    with pytest.raises(InputError, match="holds something else"):
        publish(built, shutil.copytree(built, tmp_path / "w"))
    with pytest.raises(InputError, match="nothing can be published over http://"):
        publish(built, "http://127.0.0.1/x")
    with pytest.raises(InputError, match="gets its name when it is published"):
        publish(built, f"{tmp_path}/out#3")


# -- what goes wrong on the way ------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from interplm_wh.remote import folder_place, publish, pull
from interplm_wh.store import staging
left = [int(sys.argv[2])]
def sync(path, before=staging.sync):
    before(path)
    left[0] -= path.is_file()
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
staging.sync = sync
{"publish": publish.publish, "pull": pull.pull}[sys.argv[3]](*sys.argv[4:6], **eval(sys.argv[6]))
"""


def killed(checkout: Path, n_files: int, what: str, one: Path, other: Path, **options: bool) -> None:
    """Run a command that is killed when it has written so many files."""
    words = [str(checkout), str(n_files), what, str(one), str(other), repr(options)]
    done = subprocess.run([sys.executable, "-c", _KILLED, *words], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()


CHECKOUT = Path(__file__).resolve().parents[1]


def test_a_killed_publish_leaves_nothing_that_is_taken_for_data_and_goes_on(
    built: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    killed(CHECKOUT, 15, "publish", built, out)
    n_there = sum(path.suffix == ".parquet" and not path.name.startswith(".") for path in out.rglob("*"))
    assert n_there >= 14
    with pytest.raises(NotThereError, match="there is no published warehouse"):
        pull(tmp_path / "back", out)
    assert not (tmp_path / "back").exists()
    report = publish(built, out)
    assert report.n_sent == report.n_files - n_there
    assert commands.verify(out).is_sound


def test_a_publish_that_is_killed_leaves_the_version_before(own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(own, out, lake=True)
    with store.write(own, command="test") as tx:
        small.add_proteins(tx, 3)
        tx.publish()
    killed(CHECKOUT, 6, "publish", own, out, lake=True)  # the card is there, and what names it is not
    assert len(list((out / "versions").iterdir())) == 2
    assert commands.query(out, "select count(*) as n from proteins")["n"].to_pylist() == [20]
    assert publish(own, out, lake=True).version.startswith("2-")
    assert commands.query(out, "select count(*) as n from proteins")["n"].to_pylist() == [23]


def test_a_killed_pull_is_no_warehouse_and_goes_on(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out", lake=True)
    back = tmp_path / "back"
    killed(CHECKOUT, 10, "pull", back, tmp_path / "out")
    with pytest.raises(NotThereError, match="a pull of it was interrupted; go on with the same command"):
        commands.query(back, "select 1")
    with pytest.raises(InputError, match="not empty"):
        commands.init(back)
    assert (back / layout.PULLING).exists()
    report = pull(back, tmp_path / "out")
    assert 0 < report.n_fetched < report.n_files
    assert not (back / layout.PULLING).exists()
    assert commands.verify(back).is_sound


def flipped(path: Path) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def parquet(out: Path) -> Path:
    """A part that is published."""
    return next((out / "lake/feature_stats").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda out: flipped(parquet(out)), "is not what was published"),
        (lambda out: parquet(out).write_bytes(b""), r"is not what was published \(0 bytes"),
        (lambda out: parquet(out).unlink(), "which its list names"),
        (lambda out: flipped(next(out.glob("versions/*/warehouse.duckdb"))), "is not what was published"),
        (lambda out: flipped(next(out.glob("versions/*/files.tsv"))), "is not what was published"),
        (lambda out: cut(next(out.glob("versions/*/files.tsv"))), "is not what was published"),
        (lambda out: shutil.rmtree(out / "versions"), "is gone"),
        (lambda out: (out / "published.json").write_text("{}"), "does not name versions"),
        (lambda out: (out / "published.json").write_text("<html>"), "does not name versions"),
        (lambda out: newer(out / "published.json"), "format '2', which this version"),
        (lambda out: shutil.rmtree(out), "there is no published warehouse"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_published_is_never_a_warehouse(
    built: Path, tmp_path: Path, break_it: Callable[[Path], object], message: str
) -> None:
    publish(built, tmp_path / "out")
    break_it(tmp_path / "out")
    with pytest.raises(InterplmError, match=message):
        pull(tmp_path / "back", tmp_path / "out")
    assert not (tmp_path / "back/warehouse.duckdb").exists()
    assert not list(tmp_path.glob("back/**/*.partial"))


@pytest.mark.parametrize("name", ["warehouse.duckdb", "files.tsv"])
def test_verify_looks_at_the_place_not_at_copies_of_this_machine(
    built: Path, tmp_path: Path, name: str
) -> None:
    publish(built, tmp_path / "out", lake=True)
    assert commands.verify(tmp_path / "out").is_sound
    flipped(next((tmp_path / "out").glob(f"versions/*/{name}")))
    found = commands.verify(tmp_path / "out")
    assert not found.is_sound and f"{name} was changed" in found.faults[0]


def test_a_folder_without_room_is_told_before_anything_is_copied(built: Path, small_disk: Path) -> None:
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        filler.write(bytes(8 << 20))
    os.truncate(small_disk / "filler", (8 << 20) - (64 << 10))
    with pytest.raises(InputError, match=r"takes .* GB more, and its disk has 0\.00 GB"):
        publish(built, small_disk / "out")
    assert not (small_disk / "out").exists()


def cut(path: Path) -> None:
    """Take the last line away, as an incomplete listing would."""
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def newer(path: Path) -> None:
    """Say that it is of a later format."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


def relisted(out: Path, change: Callable[[str], str], **said: object) -> None:
    """Change the list of the only version, and what is said of the version, as whoever publishes can."""
    listed, pointer = next(out.glob("versions/*/files.tsv")), out / "published.json"
    listed.write_text(change(listed.read_text()))
    told = json.loads(pointer.read_text())
    told["versions"][0]["files_sha256"] = hashlib.sha256(listed.read_bytes()).hexdigest()
    told["versions"][0] |= said
    pointer.write_text(json.dumps(told))


def row(path: str, *, n_bytes: str = "1", place: str = "lake/x") -> Callable[[str], str]:
    """Return what adds a row to a list."""
    return lambda text: text + f"{'0' * 64}\t{n_bytes}\t{path}\t{place}\n"


HOSTILE = (
    *(
        row(path)
        for path in (
            "../../evil.parquet", "/etc/x", "lake/../x", "lake/.hidden/x", "other/x.parquet", "lake//x",
            "warehouse.duckdb.wal", ".lock", "lake/a b", "lake/a\x1b[2J", "lake/\u202ex", "saes/~/x",
            f"lake/{'x' * 300}", "LAKE/x", "lake", "lake/",
        )
    ),
    row("lake/y", place="../x"), row("lake/y", place="https://host/x"), row("lake/y", place="/etc/passwd"),
    row("lake/y", n_bytes="-1"), row("lake/y", n_bytes="9" * 5000), row("lake/y", n_bytes="\u0663"),
    lambda text: text + text.splitlines()[-1] + "\n",  # twice
    lambda text: row("lake/y")(row("lake/Y")(text)),  # one file where case does not count
    lambda text: row("lake/y")(row("lake/y/z")(text)),  # a file and a folder
    lambda text: "\n".join(line for line in text.splitlines() if "\twarehouse.duckdb\t" not in line),
    lambda text: "<html><body>Please log in</body></html>",
    lambda text: "",
)  # fmt: skip


def test_a_list_that_names_other_files_is_refused(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out")
    (listed,) = (tmp_path / "out").glob("versions/*/files.tsv")
    whole = listed.read_text()
    for change in HOSTILE:
        relisted(tmp_path / "out", change)
        for ask in (pull_back, query_there):
            with pytest.raises(CheckError, match="names what no warehouse consists of"):
                ask(tmp_path)
        listed.write_text(whole)
    assert not (tmp_path / "back").exists()


def pull_back(folder: Path) -> None:
    """Fetch `out` to `back`."""
    pull(folder / "back", folder / "out")


def query_there(folder: Path) -> None:
    """Ask `out` where it is."""
    commands.query(folder / "out", "select 1")


def test_sizes_that_are_not_true_fill_no_disk_and_no_memory(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(built, out)
    (listed,) = out.glob("versions/*/files.tsv")
    whole = listed.read_text()
    relisted(out, row("lake/huge.parquet", n_bytes="9" * 15))
    with pytest.raises(InputError, match=r"takes 1,000,000\.0 GB more, .* nothing was fetched"):
        pull_back(tmp_path)
    assert not (tmp_path / "back").exists()
    listed.write_text(whole)
    relisted(out, lambda text: text)
    part = parquet(out)
    part.write_bytes(part.read_bytes() + bytes(40_000_000))  # more than was published
    taken: list[int] = []
    with pytest.raises(CheckError, match=r"is not what was published \(([\d,]+) bytes") as refused:
        pull_back(tmp_path)
    taken.append(int(str(refused.value).partition("published (")[2].partition(" ")[0].replace(",", "")))
    assert taken[0] < 2 * 1024 * 1024
    relisted(out, lambda text: text)
    with (out / "published.json").open("ab") as handle:
        handle.truncate(100_000_000)  # of which no more than is sensible is read
    for ask in (pull_back, query_there):
        with pytest.raises(CheckError, match="is longer than the"):
            ask(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000, b"[]", b"null", b'"x"', b"\xff\xfe", b"<!doctype html><title>Sign in</title>",
        b'{"format": 1, "versions": []}', b'{"format": 1, "versions": [{}]}', b'{"format": {"a": "\x1b"}}',
    ],
)  # fmt: skip
def test_what_is_no_list_of_versions_is_refused(built: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/published.json").write_bytes(content)
    for ask in (pull_back, query_there):
        with pytest.raises(CheckError) as refused:
            ask(tmp_path)
        assert "\x1b" not in str(refused.value)
    assert not (tmp_path / "back").exists()


def test_versions_with_other_names_and_numbers_are_refused(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out")
    whole = (tmp_path / "out/published.json").read_bytes()
    for wrong in (
        {"name": "1-../../../etc"}, {"name": "0-" + "a" * 12}, {"name": "9" * 5000 + "-" + "a" * 12},
        {"name": 7}, {"digest": "x"}, {"n_bytes": "many"}, {"n_files": -1}, {"n_files": True},
        {"published": "\x1b[2J"}, {"package_version": "1\n2"},
    ):  # fmt: skip
        relisted(tmp_path / "out", lambda text: text, **wrong)
        with pytest.raises(CheckError, match="does not name versions"):
            pull_back(tmp_path)
        (tmp_path / "out/published.json").write_bytes(whole)


def test_a_catalogue_that_is_none_is_no_warehouse(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(built, out)
    (catalogue,) = out.glob("versions/*/warehouse.duckdb")
    before = hashlib.sha256(catalogue.read_bytes()).hexdigest(), catalogue.stat().st_size
    catalogue.write_bytes(b"<html>Please log in</html>")
    after = hashlib.sha256(catalogue.read_bytes()).hexdigest(), catalogue.stat().st_size
    relisted(out, lambda text: text.replace(f"{before[0]}\t{before[1]}", f"{after[0]}\t{after[1]}"))
    with pytest.raises(CheckError, match="is no catalogue"):
        pull_back(tmp_path)
    assert not list((tmp_path / "back").glob("*.duckdb"))
    with pytest.raises(NotThereError, match="cannot be read as a warehouse"):
        query_there(tmp_path)


def test_names_of_a_catalogue_from_elsewhere_reach_no_file_beside_it(own: Path, tmp_path: Path) -> None:
    with store.write(own, command="test") as tx:
        tx.con.execute("update saes set sha256 = 'x'")
        tx.con.execute("insert into saes select * replace ('../../../beside' as sae) from saes")
        tx.publish()
    publish(own, tmp_path / "out")
    before = published.tree(tmp_path)
    report = commands.verify(tmp_path / "out")
    assert any("beside/sae.safetensors is missing" in fault for fault in report.faults)
    assert {name for name in published.tree(tmp_path) if not name.startswith("cache/")} == {
        name for name in before if not name.startswith("cache/")
    }


def test_a_part_that_is_gone_or_changed_is_named_when_it_is_asked(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out")
    part = parquet(tmp_path / "out")
    content = part.read_bytes()
    flipped(part)
    report = commands.verify(tmp_path / "out")
    assert [part.name in fault and "was changed" in fault for fault in report.faults] == [True]
    assert "ask who published it" in report.lines()[-1]
    part.write_bytes(content[:10])
    with pytest.raises(CheckError, match=r"feature_stats/.*bytes that were published"):
        commands.query(tmp_path / "out", "from feature_stats")
    part.unlink()
    with pytest.raises(CheckError, match=r"there is no lake/feature_stats/.*which its list names"):
        commands.query(tmp_path / "out", "from feature_stats")
    assert commands.query(tmp_path / "out", "from features").num_rows == small.N_FEATURES


def test_versions_and_folders_that_are_not_there_are_named(built: Path, tmp_path: Path) -> None:
    version = publish(built, tmp_path / "out").version
    with pytest.raises(NotThereError, match=f"has no version 7; it has {version}"):
        commands.query(f"{tmp_path}/out#7", "select 1")
    with pytest.raises(InputError, match="is a warehouse already"):
        pull(shutil.copytree(built, tmp_path / "w"), tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        pull(tmp_path / "full", tmp_path / "out")
    for bad in ("ftp://host/x", "hf://one", "s3://", "s3://a/../b", "gs:///x", "https://"):
        with pytest.raises(InputError, match="is no address of a warehouse"):
            pull(tmp_path / "new", bad)
    for secret in ("https://me:word@host/x", "s3://KEY:SECRET@bucket/x", "https://host/x?token=abc"):
        for words in (["-w", str(tmp_path / "new"), "pull", secret], ["-w", secret, "build"],
                      ["-w", secret, "info"], ["-w", str(built), "publish", secret]):  # fmt: skip
            refused = CliRunner().invoke(cli, words).exception
            assert "might be secret" in str(refused), words
            assert not re.search(r"word(?! or)|SECRET|abc", str(refused))


def test_commands_that_write_say_that_it_is_read_only_and_name_pull(built: Path, tmp_path: Path) -> None:
    publish(built, tmp_path / "out")
    runner = CliRunner()
    words = {
        "add": ["proteins", "x.fasta"], "encode": ["--sae", "a"], "build": [], "score": [],
        "scale": ["--sae", "a"],
        "remove": ["sae", "a"], "init": [], "vacuum": [], "dashboard": [], "shell": [], "suggest": [],
        "publish": ["there"], "pull": ["hf://a/b"], "split": [], "run": ["x.yaml"],
    }  # fmt: skip
    before = published.tree(tmp_path / "out")
    for where in (str(tmp_path / "out"), "s3://bucket/folder", "hf://org/name#2"):
        for command, rest in words.items():
            done = runner.invoke(cli, ["-w", where, command, *rest])
            assert isinstance(done.exception, InputError), (command, done.output)
            assert "read-only" in str(done.exception)
            assert f"pull {where}" in str(done.exception)
    assert set(words) & _READ_ANYWHERE == set()
    for write in (commands.build, commands.vacuum, commands.shell):
        with pytest.raises(InputError, match="read-only"):
            write(str(tmp_path / "out"))  # type: ignore[operator]
    assert published.tree(tmp_path / "out") == before


def test_a_second_publish_meanwhile_is_not_overwritten(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interplm_wh.errors import LockedError
    from interplm_wh.remote import card

    out, page = tmp_path / "out", card.tables_page

    def meanwhile() -> str:
        monkeypatch.setattr(card, "tables_page", page)
        publish(own, out, lake=True)
        return page()

    monkeypatch.setattr(card, "tables_page", meanwhile)
    with pytest.raises(LockedError, match="another publish came first"):
        publish(own, out)
    assert publish(own, out).version.startswith("2-")
    # Nor is one of the very same rows, which has another catalogue's bytes or the same.
    shutil.rmtree(out)
    monkeypatch.setattr(card, "tables_page", lambda: meanwhile_the_same())

    def meanwhile_the_same() -> str:
        monkeypatch.setattr(card, "tables_page", page)
        publish(own, out)
        return page()

    with pytest.raises(LockedError, match="another publish came first"):
        publish(own, out)
    assert commands.verify(out).is_sound
    pull(tmp_path / "back", out)
    assert publish(own, out).version.startswith("1-")


def test_reading_in_place_and_info_say_what_it_is(built: Path, tmp_path: Path) -> None:
    version = publish(built, tmp_path / "out").version
    lines = commands.info(tmp_path / "out").lines()
    assert lines[0] == f"warehouse {tmp_path}/out (version {version})"
    assert lines[-1].startswith("published, and read-only")
    started = time.monotonic()
    done = CliRunner().invoke(
        cli, ["-w", str(tmp_path / "out"), "query", "select 1 as one", "--format", "csv"]
    )
    assert (done.exit_code, done.output) == (0, '"one"\n1\n')
    assert time.monotonic() - started < 20
