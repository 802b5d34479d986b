"""The warehouse on disk: one writer, atomic publishes, readers that never wait."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
import small

from interplm_wh import build, store
from interplm_wh.ask import verify
from interplm_wh.errors import CheckError, InputError, LockedError, NotThereError
from interplm_wh.store import catalogue, layout


def n_proteins(path: Path) -> int:
    with store.open(path) as wh:
        count: int = wh.sql("select count(*) as n from proteins")["n"][0].as_py()
        return count


def staged(path: Path) -> list[Path]:
    return list((path / layout.STAGING).iterdir())


def test_init_refuses_a_warehouse_and_a_folder_in_use(tmp_path: Path, warehouse: Path) -> None:
    with pytest.raises(InputError, match="is a warehouse already"):
        store.init(warehouse)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").touch()
    with pytest.raises(InputError, match="not empty"):
        store.init(tmp_path / "used")


@pytest.mark.parametrize("action", [store.open, lambda path: store.write(path, command="x").__enter__()])
def test_a_missing_warehouse_names_the_next_step(tmp_path: Path, action: object) -> None:
    assert callable(action)
    with pytest.raises(NotThereError, match="init"):
        action(tmp_path / "nowhere")


def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / layout.CATALOGUE).write_bytes(b"this is not a database" * 1000)
    with pytest.raises(NotThereError, match="cannot be read as a warehouse"):
        store.open(tmp_path)


def test_an_empty_warehouse_answers_every_table_and_macro_free_view(warehouse: Path) -> None:
    from interplm_wh import schema

    with store.open(warehouse) as wh:
        for name, table in schema.tables().items():
            if table.storage in ("block", "chunk"):
                continue  # held only while a build counts
            assert wh.sql(f'from "{name}"').column_names == [c.name for c in table.columns]


def test_without_publish_nothing_happened(warehouse: Path) -> None:
    before = (warehouse / layout.CATALOGUE).read_bytes()
    with store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 3)
    assert (warehouse / layout.CATALOGUE).read_bytes() == before
    assert n_proteins(warehouse) == 0
    assert staged(warehouse) == []


def test_keys_of_an_earlier_publish_are_not_given_again(warehouse: Path) -> None:
    with store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 3)
        tx.publish()
    with store.write(warehouse, command="test") as tx:
        folder = tx.new_folder("proteins")
        tx.write_query(folder, small.PROTEINS, {"first": 1, "n": 4})
        tx.append(folder)
        with pytest.raises(CheckError, match=r"\(protein_id\) is unique, but 2"):
            tx.publish()
    assert n_proteins(warehouse) == 3


def test_rows_that_break_their_schema_are_not_published(warehouse: Path) -> None:
    with store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 3)
        folder = tx.new_folder("proteins")
        bad = f"select * replace ('vald' as split, null as accession) from ({small.PROTEINS})"
        tx.write_query(folder, bad, {"first": 0, "n": 2})
        tx.append(folder)
        with pytest.raises(CheckError) as error:
            tx.publish()
    assert "accession is never NULL, but 2 rows" in str(error.value)
    assert "split is one of train, valid, test, but 2 rows" in str(error.value)
    assert "(protein_id) is unique, but 2" in str(error.value)
    assert n_proteins(warehouse) == 0


def test_references_to_what_is_not_there_are_not_published(warehouse: Path) -> None:
    with store.write(warehouse, command="test") as tx:
        folder = tx.new_folder("coverage")
        tx.write_query(folder, "select 'x' as source, 7 as protein_id")
        tx.append(folder)
        with pytest.raises(CheckError, match=r"every protein_id stands in proteins\.protein_id"):
            tx.publish()


@pytest.mark.parametrize(
    "rows",
    [
        "values (0, 1, 5, 1.0), (0, 1, 5, 2.0)",  # the same residue and feature twice
        "values (0, 1, 5, 'nan'::float)",
        "values (0, 0, 5, 1.0)",
        "values (0, 1, -1, 1.0)",
        "values (0, 1, 5, -1.0)",
    ],
)
def test_activations_that_break_a_rule_are_not_published(warehouse: Path, rows: str) -> None:
    with store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 1)
        folder = tx.new_folder("activations", sae="a")
        tx.write_query(folder, f"select * from ({rows}) as t (protein_id, position, feature, value)")
        tx.append(folder)
        with pytest.raises(CheckError):
            tx.publish()


HOLD = """
import sys, time
from interplm_wh import store
with store.write(sys.argv[1], command="build --something") as tx:
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(warehouse: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_told_who_holds_the_lock(warehouse: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(LockedError, match=rf"'build --something' \(process {holder.pid} on "),
        store.write(warehouse, command="other", wait_seconds=0.2),
    ):
        pass
    assert n_proteins(warehouse) == 0  # readers do not need the lock
    holder.kill()
    holder.wait()
    with store.write(warehouse, command="other", wait_seconds=0) as tx:
        small.add_proteins(tx, 1)
        tx.publish()
    assert n_proteins(warehouse) == 1


def test_what_a_killed_writer_left_is_removed_and_what_lives_is_kept(
    warehouse: Path, holder: subprocess.Popen[str]
) -> None:
    (left,) = staged(warehouse)
    with store.stage(warehouse) as alive:
        holder.kill()
        holder.wait()
        with store.write(warehouse, command="other") as tx:
            assert not left.exists()
            assert alive.path.exists()
            small.add_proteins(tx, 2)
            tx.publish()
    assert n_proteins(warehouse) == 2
    assert staged(warehouse) == []


def test_no_question_takes_a_damaged_table_for_an_empty_one(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    build.build(path)
    with store.open(path) as wh:
        kept = {t.name: t for t in catalogue.lake_tables() if wh.sql(f"from {t.name} limit 1").num_rows}
    assert len(kept) > 10
    for name in kept:
        shutil.rmtree(path / "lake" / name)
    other = "(values ('a'), ('b')) as other (letter)"
    with store.open(path) as wh:
        for name, table in kept.items():
            questions = [
                f"select count(*) from {name}", f"select exists (from {name})", f"from {name} limit 1",
            ]  # fmt: skip
            for column in table.columns:
                c = f'"{column.name}"'
                questions += [
                    f"select count(*) from {name} where {c}::varchar = 'a'",
                    f"select {c} from {name} where {c} is not null",
                    f"select * from {other} where letter in (select {c}::varchar from {name})",
                    f"select * from {other} where not exists (from {name} where {c}::varchar = letter)",
                    f"select * from {other} left join {name} on {c}::varchar = letter",
                    f"select max({c}) from (select * from {name}) where {c}::varchar > 'a' group by {c}",
                ]
            for sql in questions:
                with pytest.raises(duckdb.Error, match=f"{name} cannot be read"):
                    wh.sql(sql)


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import small
from interplm_wh import store
from interplm_wh.store import catalogue, staging

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[3] == "before moving":
    staging.Staging.move = die
elif sys.argv[3] == "after moving":
    catalogue.write = die
elif sys.argv[3] == "before replacing":
    staging.sync = lambda path: die() if path.name == "warehouse.duckdb" else None
elif sys.argv[3] == "after replacing":
    staging.Staging.forget_moves = die
with store.write(sys.argv[1], command="test") as tx:
    small.add_proteins(tx, 5)
    tx.publish()
"""


@pytest.mark.parametrize(
    ("moment", "n_expected"),
    [("before moving", 0), ("after moving", 0), ("before replacing", 0), ("after replacing", 5)],
)
def test_a_publish_killed_at_any_moment_happened_wholly_or_not_at_all(
    warehouse: Path, moment: str, n_expected: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(warehouse), str(Path(__file__).parent), moment], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert n_proteins(warehouse) == n_expected
    assert verify(warehouse).is_sound
    with store.write(warehouse, command="next") as tx:
        small.add_proteins(tx, 2)
        tx.publish()
    assert n_proteins(warehouse) == n_expected + 2
    assert staged(warehouse) == []
    on_disk = {path.parent.name for path in (warehouse / "lake").rglob("*.parquet")}
    with store.open(warehouse) as wh:
        named = {Path(f).name for f in wh.sql("select folder from folders")["folder"].to_pylist()}
    assert on_disk == named  # nothing that nobody knows of


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_publish_that_is_interrupted_leaves_no_folder_behind(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(catalogue, "write", interrupt)
    with pytest.raises(error), store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 5)
        tx.publish()
    assert list((warehouse / "lake").rglob("*.parquet")) == []
    assert n_proteins(warehouse) == 0


BUILD = """
import sys
from interplm_wh import build
build.build(sys.argv[1])
"""


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    from interplm_wh import schema

    tables = [t.name for t in schema.tables().values() if t.storage in ("sae", "view")]
    with store.open(path) as wh:
        return {
            name: wh.con.execute(f'select * from "{name}" order by all').fetchall()
            for name in tables
            if name != "encodings"
        }


@pytest.mark.slow
def test_a_build_killed_at_random_moments_is_completed_by_the_next(tmp_path: Path) -> None:
    whole = small.make(tmp_path / "whole")
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", BUILD, str(whole)], check=True, capture_output=True)
    seconds = time.monotonic() - start
    interrupted = small.make(tmp_path / "interrupted")
    for share in (0.3, 0.5, 0.7, 0.9):
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD, str(interrupted)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(seconds * share)
        process.kill()
        process.communicate()
        assert verify(interrupted).is_sound
    build.build(interrupted)
    assert staged(interrupted) == []
    assert rows_of(interrupted) == rows_of(whole)


def test_readers_go_on_while_writers_publish(warehouse: Path) -> None:
    counts: list[int] = []
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            with store.open(warehouse) as wh:
                while not done.is_set():
                    wh.refresh()
                    n, by_id = wh.con.execute(
                        "select count(*), max(protein_id) + 1 from proteins"
                    ).fetchall()[0]
                    assert n == (by_id or 0)  # never half a publish
                    counts.append(n)
        except Exception as error:  # noqa: BLE001  (handed to the test's own thread)
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    with store.open(warehouse) as before:
        for _ in range(4):
            with store.write(warehouse, command="test") as tx:
                small.add_proteins(tx, 3)
                tx.publish()
        assert before.sql("select count(*) as n from proteins")["n"][0].as_py() == 0  # what it opened
    done.set()
    reader.join()
    assert not errors
    assert counts == sorted(counts)
    assert n_proteins(warehouse) == 12


def test_two_processes_may_read_and_one_may_add_at_the_same_time(warehouse: Path) -> None:
    script = (
        "import sys\nfrom interplm_wh import store\nwh = store.open(sys.argv[1])\nprint('open', flush=True)\n"
        "sys.stdin.readline()\nwh.refresh()\nprint(wh.sql('select count(*) as n from proteins')['n'][0])"
    )
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(warehouse)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
    with store.write(warehouse, command="test") as tx:
        small.add_proteins(tx, 4)
        tx.publish()
    for reader in readers:
        assert reader.communicate("\n")[0] == "4\n"


def test_a_reader_whose_folders_were_vacuumed_opens_the_newest_publish(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    with store.open(path) as wh:
        build.build(path)
        build.build(path, presence=0.1)
        with store.write(path, command="test") as tx:
            folder = tx.new_folder("proteins")
            tx.write_query(folder, "from proteins")
            tx.replace("proteins", [folder])
            tx.publish()
        build.build(path, presence=0.2)
        store.vacuum(path, min_age_seconds=0)
        assert wh.sql("select count(*) as n from proteins")["n"][0].as_py() == 20


def test_vacuum_keeps_what_the_current_or_the_previous_catalogue_names(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    build.build(path)
    previous = store.open(path)
    build.build(path, presence=0.1)
    build.build(path, presence=0.2)
    first = store.vacuum(path)
    assert first.n_folders == 0
    assert first.n_kept > 0
    second = store.vacuum(path, min_age_seconds=0)
    assert second.n_folders == first.n_kept
    assert second.n_bytes > 0
    assert verify(path).is_sound
    previous.close()


def test_a_moved_or_copied_warehouse_opens_where_it_is_now(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    build.build(path)
    shutil.copytree(path, tmp_path / "copy")
    path.rename(tmp_path / "moved")
    for place in (tmp_path / "copy", tmp_path / "moved"):
        with store.open(place) as wh:
            assert wh.sql("from feature_examples('a', 3, k := 2)").num_rows == 2
        assert verify(place).is_sound


def duckdb_shell(folder: Path, sql: str) -> str:
    shell = Path(sys.executable).with_name("duckdb")
    done = subprocess.run(
        [shell, "-readonly", "-csv", layout.CATALOGUE, sql],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def writing_shell(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A warehouse, and a shell of another process that has changed its catalogue and waits."""
    path = small.make(tmp_path / "w")
    script = (
        "import duckdb, sys\n"
        f"con = duckdb.connect({str(path / layout.CATALOGUE)!r})\n"
        "con.execute('create table mine as select 42 as x')\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield path, process
        process.kill()


def test_a_shell_that_writes_is_named_to_readers_and_writers(
    writing_shell: tuple[Path, subprocess.Popen[str]],
) -> None:
    path, _ = writing_shell
    for work in (store.open, build.build):
        with pytest.raises(LockedError, match=r"catalogue for writing and was not closed"):
            work(path)


def test_a_shell_that_only_holds_the_catalogue_is_named_too(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    script = (
        f"import duckdb, sys; con = duckdb.connect({str(path / layout.CATALOGUE)!r}); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for work in (store.open, build.build):
            with pytest.raises(LockedError, match=rf"PID {process.pid}.*duckdb -readonly"):
                work(path)
        process.communicate("")
    build.build(path)


def test_what_a_killed_shell_leaves_is_never_published(
    writing_shell: tuple[Path, subprocess.Popen[str]],
) -> None:
    path, process = writing_shell
    process.kill()
    process.wait()
    log = path / (layout.CATALOGUE + ".wal")
    before = (path / layout.CATALOGUE).read_bytes()
    for work in (store.open, build.build):
        with pytest.raises(LockedError, match=r"warehouse\.duckdb\.wal is there.*delete that file"):
            work(path)
    assert (path / layout.CATALOGUE).read_bytes() == before
    log.unlink()
    build.build(path)
    assert verify(path).is_sound
    with store.open(path) as wh, pytest.raises(duckdb.Error, match="mine"):
        wh.sql("from mine")


def test_a_log_that_appears_meanwhile_stops_the_publish_and_leaves_no_folder(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    log = path / (layout.CATALOGUE + ".wal")
    before = sorted((path / "lake").rglob("*"))
    with pytest.raises(LockedError, match="delete that file"), store.write(path, command="test") as tx:
        small.add_proteins(tx, 4)
        log.write_bytes(b"")
        tx.publish()
    log.unlink()
    assert sorted((path / "lake").rglob("*")) == before
    assert verify(path).is_sound


@pytest.mark.parametrize("name", ["a,b", "run[2]", "what?", "all*", "back\\slash"])
def test_a_folder_that_duckdb_would_take_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    for work in (store.init, store.open, build.build):
        with pytest.raises(InputError, match="takes for a pattern"):
            work(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "it's", 'say "x"', "{x}", "#1", "a=b", "$HOME", "ä"])
def test_other_folders_work(tmp_path: Path, name: str) -> None:
    path = small.make(tmp_path / name, n=4)
    build.build(path)
    assert verify(path).is_sound


def test_a_table_with_a_missing_or_a_foreign_file_gives_no_rows(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 4)
        small.add_activations(tx, "a", 20, 23)
        tx.publish()
    part = some_part(path)
    copy = part.with_name("zzz.parquet")
    shutil.copy(part, copy)
    for fault in ("zzz.parquet stands in a published folder but is not recorded", f"{part.name} is missing"):
        with store.open(path) as wh:
            with pytest.raises(duckdb.Error, match=f"activations cannot be read: .*{fault}; see: .*verify"):
                wh.sql("select count(*) from activations")
            assert wh.sql("select count(*) as n from proteins")["n"].to_pylist() == [24]
        copy.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def test_a_seed_that_sql_cannot_hold_makes_no_warehouse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too large"):
        store.init(tmp_path / "w", seed=2**62 + 1)
    assert not (tmp_path / "w").exists()
    store.init(tmp_path / "w", seed=2**62)


def test_verify_finds_changed_weights(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    with store.write(path, command="test") as tx:
        tx.con.execute("update saes set sha256 = repeat('0', 64)")
        tx.publish()
    (fault,) = verify(path).faults
    assert fault == "saes/a/sae.safetensors is missing"
    weights = layout.weights(path, "a")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"others")
    (fault,) = verify(path).faults
    assert "checksum" in fault
    with pytest.raises(CheckError, match="weights have changed"):
        build.build(path)


def test_the_plain_shell_reads_tables_macros_and_comments(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w", sae="8")
    build.build(path, min_residues=5, min_domains=3)
    shell = lambda sql: duckdb_shell(path, sql)  # noqa: E731
    assert shell("select version()").splitlines()[1].startswith("v1.")
    # Protein 6 has the highest value of a feature, (1 + 6 % 7): its scale, so the activation is 1.
    assert shell("select accession, position, activation from feature_examples('8', 3, k := 2)") == (
        "accession,position,activation\nP0006,5,1.0\nP0013,5,1.0\n"
    )
    assert shell("select distinct typeof(sae) from activations") == "typeof(sae)\nVARCHAR\n"
    assert "Residue, 1-based" in shell(
        "select comment from duckdb_columns() where table_name = 'activations' and column_name = 'position'"
    )
    about = shell("select comment from duckdb_views() where view_name = 'concept_f1'")
    assert "How well one feature" in about
    assert "strongest" in shell(
        "select comment from duckdb_functions() where function_name = 'feature_examples'"
    )


def test_names_that_look_like_numbers_or_dates_stay_text(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w", sae="8")
    with store.write(path, command="test") as tx:
        small.add_sae(tx, "2024-01-01")
        small.add_activations(tx, "2024-01-01", 0, 9)
        tx.publish()
    build.build(path)
    with store.open(path) as wh:
        found = wh.sql("select distinct sae from feature_stats order by sae")["sae"].to_pylist()
    assert found == ["2024-01-01", "8"]
    assert "2024-01-01\n8\n" in duckdb_shell(path, "select distinct sae from feature_stats order by sae")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    path = small.make(tmp_path / "w")
    build.build(path)
    assert verify(path).lines() == [verify(path).lines()[0]]
    return path


def some_part(path: Path, table: str = "activations") -> Path:
    return next((path / "lake" / table).rglob("*.parquet"))


def test_verify_finds_a_truncated_part(built: Path) -> None:
    part = some_part(built)
    part.write_bytes(part.read_bytes()[:-20])
    (fault,) = verify(built).faults
    assert "bytes instead of" in fault


def test_verify_finds_a_flipped_bit(built: Path) -> None:
    part = some_part(built)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    (fault,) = verify(built).faults
    assert "checksum" in fault


@pytest.mark.parametrize("table", ["concept_bands", "protein_features", "max_examples"])
def test_what_verify_says_of_a_damaged_mart_mends_it(built: Path, table: str) -> None:
    part = some_part(built, table)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    assert f"delete the damaged files of {table}, then run: interplm-wh build" in verify(built).lines()
    part.unlink()
    build.build(built)
    assert verify(built).is_sound


@pytest.mark.parametrize("table", ["activations", "proteins", "concept_bands"])
def test_verify_finds_a_foreign_file_and_goes_on(built: Path, table: str) -> None:
    part = some_part(built, table)
    shutil.copy(part, part.with_name("zzz.parquet"))
    (fault,) = verify(built).faults
    assert fault.endswith("zzz.parquet stands in a published folder but is not recorded")
    part.with_name("zzz.parquet").unlink()
    assert verify(built).is_sound


def test_verify_finds_a_table_that_contradicts_another(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    build.build(path, min_residues=5, min_domains=3)
    with store.write(path, command="test") as tx:
        folder = tx.new_folder("source_firing", sae="a")
        tx.write_query(folder, "select * replace (1::bigint as n_residues) from source_firing")
        tx.replace("source_firing", [folder], sae="a")
        tx.publish()
    # A feature cannot fire on more residues of a concept than it fires on at all.
    assert any(fault.startswith("concept_f1: fp is at least 0") for fault in verify(path).faults)


def test_verify_finds_a_missing_and_an_unrecorded_part(built: Path) -> None:
    part = some_part(built, "feature_stats")
    part.rename(part.with_name("other.parquet"))
    faults = verify(built).faults
    assert any("is missing" in fault for fault in faults)
    assert any("is not recorded" in fault for fault in faults)


def test_a_truncated_part_gives_an_error_that_names_it_and_no_numbers(built: Path) -> None:
    part = some_part(built)
    part.write_bytes(part.read_bytes()[:-20])
    with store.open(built) as wh, pytest.raises(duckdb.Error, match=part.name):
        wh.sql("select sum(value) from activations")


def test_a_full_disk_stops_the_command_and_leaves_the_last_publish(small_disk: Path) -> None:
    path = store.init(small_disk / "w")
    with (
        pytest.raises((duckdb.Error, OSError), match="No space left"),
        store.write(path, command="test") as tx,
    ):
        folder = tx.new_folder("proteins")
        noise = "md5(protein_id::varchar) || md5(protein_id::varchar || 'x')"
        rows = f"select * replace ({noise} as sequence) from ({small.PROTEINS})"
        tx.write_query(folder, rows, {"first": 0, "n": 200_000})
        tx.append(folder)
        tx.publish()
    assert n_proteins(path) == 0
    assert verify(path).is_sound
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, 3)
        tx.publish()
    assert n_proteins(path) == 3


def test_a_vacuum_frees_space_on_a_full_disk(small_disk: Path) -> None:
    path = store.init(small_disk / "w")
    for _ in range(3):  # two publishes later no catalogue names the first
        with store.write(path, command="test") as tx:
            folder = tx.new_folder("proteins")
            tx.write_query(folder, small.PROTEINS, {"first": 0, "n": 10})
            tx.replace("proteins", [folder])
            tx.publish()
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with pytest.raises(OSError, match="No space left"):
        (path / "more").mkdir()
        (path / "more" / "file").write_bytes(bytes(4096))
    assert store.vacuum(path, min_age_seconds=0).n_folders == 1
    assert n_proteins(path) == 10
