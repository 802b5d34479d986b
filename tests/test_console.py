"""The console: hostile SQL against a real warehouse, in real child processes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet
import pytest
import small

from interplm_wh import build, store
from interplm_wh.console import ask
from interplm_wh.console.admit import FILE_FUNCTIONS, TABLE_FUNCTIONS, admit
from interplm_wh.errors import InputError, NotThereError
from interplm_wh.store import Warehouse, layout
from tests.children import answering

CHECKOUT = Path(__file__).resolve().parents[1]
SECRET = "what-nobody-may-read"


def one(rows: pa.Table) -> object:
    """The value of the first row and column."""
    return rows.column(0)[0].as_py()


def fingerprint(root: Path) -> dict[str, str]:
    """What every file of a folder holds, and where every link leads."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = "a folder"
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse, and around it what must not be read."""
    above = tmp_path_factory.mktemp("console").resolve()
    root = small.make(above / "warehouse")
    build.build(root)
    rows = pa.table({"secret": [SECRET]})
    (above / "outside").mkdir()
    for path in (above / "outside" / "x.parquet", root / "lake2" / "x.parquet", root / "saes" / "x.parquet"):
        path.parent.mkdir(parents=True, exist_ok=True)
        pa.parquet.write_table(rows, path)
    (root / "saes" / "a").mkdir()
    (root / "saes" / "a" / "sae.safetensors").write_text(SECRET)
    (root / "lake" / "link.parquet").symlink_to(above / "outside" / "x.parquet")
    (root / "lake" / "linked").symlink_to(above / "outside")
    return root


@pytest.fixture(scope="module")
def before(root: Path) -> dict[str, str]:
    """The warehouse before anything was asked."""
    return fingerprint(root)


@pytest.fixture(scope="module")
def opened(root: Path) -> Iterator[Warehouse]:
    """The warehouse in this process, for what looks at statements and runs none of them."""
    with store.open(root) as wh:
        yield wh


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where children have their folders."""
    folder = tmp_path.resolve() / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(autouse=True)
def nothing_is_left(root: Path, before: dict[str, str], temporary: Path) -> Iterator[None]:
    """No question leaves a process, a temporary file or a changed warehouse."""
    yield
    assert list(temporary.iterdir()) == []
    assert answering() == []
    assert fingerprint(root) == before


REFUSED = {
    # Other statements
    "copy proteins to '{root}/lake/evil.csv'": "this is COPY",
    "copy (select 1) to '/tmp/evil.csv'": "this is COPY",
    "attach '/tmp/evil.duckdb'": "this is ATTACH",
    "detach wh": "this is DETACH",
    "install httpfs": "this is LOAD",
    "load httpfs": "this is LOAD",
    "set enable_external_access = true": "this is (VARIABLE )?SET",
    "reset lock_configuration": "this is (VARIABLE )?SET",
    "pragma database_list": "this is PRAGMA",
    "create table x as select 1": "this is CREATE",
    "create macro m() as 1": "this is CREATE",
    "insert into saes select * from saes": "this is INSERT",
    "update saes set sae = 'x'": "this is UPDATE",
    "delete from saes": "this is DELETE",
    "drop view proteins": "this is DROP",
    "checkpoint": "this is ",
    "export database '/tmp/evil'": "this is EXPORT",
    "import database '/tmp/evil'": "this is ",
    "begin": "this is TRANSACTION",
    "vacuum": "this is ",
    "prepare p as select 1": "this is PREPARE",
    "execute p": "this is EXECUTE",
    "call enable_logging()": "this is CALL",
    "use memory": "this is ",
    "explain copy (select 1) to '{root}/lake/evil.csv'": "this is COPY",
    "explain analyze copy (select 1) to '{root}/lake/evil.csv'": "this is COPY",
    "explain analyze/**/copy (select 1) to '{root}/lake/evil.csv'": "syntax error",
    "explain (analyze) copy (select 1) to '{root}/lake/evil.csv'": "syntax error",
    "explain analyze insert into saes select * from saes": "this is INSERT",
    "explain explain select 1": "syntax error",
    "select 1; copy (select 1) to '{root}/lake/evil.csv'": "2 statements",
    "select interval 1 day) ; copy (select 1) to '{root}/lake/evil.csv'; (select 1": "syntax error",
    "select interval 1 day /* open": "unterminated",
    "-- nothing": "0 statements",
    "pivot saes on sae using count(*)": "values listed",
    "selec 1": "syntax error",
    # Statements of the type SELECT that write
    "with x as (copy (select 1) to '{root}/lake/evil.csv') select 1": "COPY inside",
    "with x as (copy (select 1) to '{root}/lake/evil.csv') select * from x": "COPY inside",
    "with x as materialized (copy (select 1) to '{root}/lake/evil.csv') select 1": "COPY inside",
    "select (with x as (copy (select 1) to '{root}/lake/evil.csv') select 1)": "COPY inside",
    "select * from (with x as (copy (select 1) to '{root}/lake/evil.csv') select 1)": "COPY inside",
    "select 1 union all (with x as (copy (select 1) to '{root}/lake/evil.csv') select 1)": "COPY inside",
    "with y as (with x as (copy (select 1) to '{root}/evil') select 1) select * from y": "COPY inside",
    "select 1 where exists (with x as (copy (select 1) to '{root}/evil') select 1)": "COPY inside",
    "describe (with x as (copy (select 1) to '{root}/evil') select 1)": "COPY inside",
    "explain with x as (copy (select 1) to '{root}/evil') select 1": "COPY inside",
    "explain analyze with x as (copy (select 1) to '{root}/lake/evil.csv') select 1": "COPY inside",
    "with x as (insert into saes select * from saes returning *) select * from x": "INSERT inside",
    "with x as (update saes set sae = 'x' returning *) select * from x": "UPDATE inside",
    "with x as (delete from saes returning *) select * from x": "DELETE inside",
    # Functions that are not on the list, wherever they stand
    **dict.fromkeys(
        [
            "from read_csv('/etc/passwd')",
            "from read_blob('/etc/passwd')",
            "from read_json('/etc/passwd')",
            "from sniff_csv('/etc/passwd')",
            "from READ_TEXT('/etc/passwd')",
            "from \"read_text\"('/etc/passwd')",
            "from system.main.read_text('/etc/passwd')",
            "select (select content from read_text('/proc/self/environ'))",
            "select * from range(1), lateral (from read_text('/etc/passwd'))",
            "select 1 order by (select content from read_text('/etc/passwd'))",
            "select 1 limit (select count(*) from read_text('/etc/passwd'))",
            "select sum(1) over (order by (select content from read_text('/etc/passwd')))",
            "select list_transform([1], lambda x: (select content from read_text('/etc/passwd')))",
            "from feature_examples((select content from read_text('/etc/passwd')), 1)",
            "summarize from read_text('/etc/passwd')",
            "from query('select 1')",
            "from query_table('proteins')",
            "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
            "from duckdb_secrets()",
            "from which_secret('s3://x', 's3')",
            "from duckdb_settings()",
            "from read_duckdb('{root}/warehouse.duckdb', table_name = 'saes')",
            "from enable_logging('QueryLog', storage = 'file')",
            "from enable_profiling()",
            "from checkpoint()",
            "from force_checkpoint('wh')",
            "from pragma_database_size()",
            "from truncate_duckdb_logs()",
            "from register_external_resource('a', 'b', map())",
            "from arrow_scan(1, 2, 3)",
            "from pandas_scan(1)",
        ],
        "cannot be called here",
    ),
}
# Through a child too, one of each kind; the others are looked at by the same function.
ASKED = [
    "copy (select 1) to '/tmp/evil.csv'",
    "copy proteins to '{root}/lake/evil.csv'",
    "attach '/tmp/evil.duckdb'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "pragma database_list",
    "create table x as select 1",
    "insert into saes select * from saes",
    "call enable_logging()",
    "explain analyze copy (select 1) to '{root}/lake/evil.csv'",
    "select 1; copy (select 1) to '{root}/lake/evil.csv'",
    "with x as (copy (select 1) to '{root}/lake/evil.csv') select 1",
    "explain analyze with x as (copy (select 1) to '{root}/lake/evil.csv') select 1",
    "from read_csv('/etc/passwd')",
    "from query('select 1')",
    "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "from enable_logging('QueryLog', storage = 'file')",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_anything_but_one_select_that_only_reads_is_refused_in_words(opened: Warehouse, sql: str) -> None:
    with pytest.raises((InputError, duckdb.ParserException), match=REFUSED[sql]):
        admit(opened.con, sql.format(root=opened.path), catalogue="wh")


@pytest.mark.parametrize("sql", ASKED)
def test_a_child_refuses_what_does_not_only_read(root: Path, sql: str) -> None:
    with pytest.raises(InputError, match=REFUSED[sql]):
        ask(root, sql.format(root=root))


@pytest.mark.parametrize(
    "sql",
    [
        "from '/etc/passwd'",
        "from '{root}/saes/x.parquet'",
        "from read_parquet('{root}/saes/x.parquet')",
        "from read_parquet('{root}/saes/*.parquet')",
        "from read_parquet('{root}/**/x.parquet')",
        "from read_parquet('{root}/lake2/x.parquet')",
        "from read_parquet('{root}/lake/../saes/x.parquet')",
        "from read_parquet('{root}/lake/../lake2/x.parquet')",
        "from read_parquet('{root}/lake/link.parquet')",
        "from read_parquet('{root}/lake/linked/x.parquet')",
        "from read_parquet('{root}/lake/linked/*.parquet')",
        "from read_parquet('file://{root}/saes/x.parquet')",
        "from read_parquet('../../outside/x.parquet')",
        "from read_parquet('saes/x.parquet')",
        "from parquet_metadata('{root}/saes/x.parquet')",
        "from parquet_schema('{root}/lake2/x.parquet')",
        "from parquet_kv_metadata('{root}/../outside/x.parquet')",
        "from glob('{root}/*')",
        "from glob('{root}/lake/../*')",
        "from glob('/etc/*')",
        "from read_parquet('http://127.0.0.1:{port}/x.parquet')",
        "from 'https://127.0.0.1:{port}/x.parquet'",
        "from read_parquet('s3://bucket/x.parquet')",
        "from read_parquet('hf://datasets/x/y.parquet')",
        "select nextval('x')",
        "select getenv('HOME')",
    ],
)
def test_nothing_outside_the_lake_is_read_or_asked_for(root: Path, sql: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        with pytest.raises(InputError, match="Error: ") as refused:
            ask(root, sql.format(root=root, port=server.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert SECRET not in str(refused.value)
    assert str(root) not in str(refused.value)


def test_files_of_the_lake_may_be_read(root: Path) -> None:
    sql = f"select count(*) from read_parquet('{root}/lake/proteins/*/*.parquet')"
    assert one(ask(root, sql).rows) == 20


# What gets past the look at the statement, as if there were none.
PAST_THE_FIRST_LOCK = """
import json, sys
from pathlib import Path
import duckdb
from interplm_wh import schema
from interplm_wh.console import child, request
from interplm_wh.store import Warehouse
root = Path(sys.argv[1])
schema.tables()
if sys.argv[2] == "fenced" and not child.fence(root, Path.cwd()):
    sys.exit(3)
answers = []
with Warehouse(root) as wh:
    child.lock(wh.con, request.Request(str(root), "", 1, 1, 1, 1 << 30, 1 << 30, 0), Path.cwd())
    for sql in sys.argv[3:]:
        try:
            answers.append(str(wh.con.execute(sql).fetchall()))
        except duckdb.Error as error:
            answers.append(f"refused: {error}")
print(json.dumps(answers))
"""
WRITES_INTO_THE_LAKE = [
    "copy (select 1) to '{root}/lake/evil.csv'",
    "with x as (copy (select 1) to '{root}/lake/evil.csv') select 1",
    "copy (select 1 as a) to '{root}/lake/evil' (format parquet, partition_by (a), write_partition_columns)",
]
REACHES_OUT = [
    "from read_text('/etc/passwd')",
    "from read_text('{root}/saes/a/sae.safetensors')",
    "from read_text('{root}/lake/../saes/a/sae.safetensors')",
    "from read_text('{root}/lake/link.parquet')",
    "from read_parquet('{root}/lake2/x.parquet')",
    "attach '{root}/../evil.duckdb'",
    "copy (select 1) to '{root}/evil.csv'",
    "copy (select 1) to '{root}/lake/../evil.csv'",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '/tmp'",
    "install httpfs",
    "load httpfs",
]


def past_the_first_lock(root: Path, sqls: list[str], folder: Path, how: str) -> list[str]:
    """What DuckDB, locked as in a child, answers to each statement."""
    folder.mkdir()
    filled = [sql.format(root=root) for sql in sqls]
    done = subprocess.run(
        [sys.executable, "-c", PAST_THE_FIRST_LOCK, str(root), how, *filled],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 3:
        pytest.skip("this kernel has no Landlock")
    assert done.returncode == 0, done.stderr
    answers: list[str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("how", ["fenced", "unfenced"])
def test_a_locked_duckdb_reaches_nothing_outside_with_and_without_the_kernel(
    root: Path, tmp_path: Path, how: str
) -> None:
    answers = past_the_first_lock(root, REACHES_OUT, tmp_path / "cwd", how)
    reached = [sql for sql, answer in zip(REACHES_OUT, answers, strict=True) if "refused: " not in answer]
    assert reached == []


def test_only_the_kernel_refuses_to_write_into_the_lake(root: Path, tmp_path: Path) -> None:
    answers = past_the_first_lock(root, WRITES_INTO_THE_LAKE, tmp_path / "cwd", "fenced")
    assert [answer.partition(":")[0] for answer in answers] == ["refused"] * len(answers)
    # The reason for looking through a SELECT: DuckDB itself lets it write.
    copy = shutil.copytree(root, tmp_path / "copy", symlinks=True)
    answers = past_the_first_lock(copy, WRITES_INTO_THE_LAKE[1:2], tmp_path / "cwd2", "unfenced")
    assert answers == ["[(1,)]"]
    assert (copy / "lake" / "evil.csv").is_file()


def test_a_fenced_process_opens_nothing_connects_to_nothing_and_starts_nothing(tmp_path: Path) -> None:
    script = """
import os, socket, sys
from pathlib import Path
from interplm_wh.console import landlock
free, port = Path(sys.argv[1]), int(sys.argv[2])
if not landlock.restrict(read=[], write=[free]):
    sys.exit(3)
(free / "mine").write_text("x")
(free / "mine").unlink()
def is_refused(action, *arguments):
    try:
        action(*arguments)
    except PermissionError:
        return True
    return False
print([
    is_refused(open, "/etc/passwd"), is_refused(os.listdir, "/"), is_refused(open, free.parent / "x", "w"),
    is_refused(os.truncate, free.parent / "kept", 0), is_refused(os.unlink, free.parent / "kept"),
    is_refused(os.execv, "/bin/true", ["true"]), is_refused(socket.create_connection, ("127.0.0.1", port)),
])
"""
    (tmp_path / "free").mkdir()
    (tmp_path / "kept").write_text("kept")
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = [str(tmp_path / "free"), str(server.getsockname()[1])]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 3:
        pytest.skip("this kernel has no Landlock")
    assert done.stdout.strip() == str([True] * 7), done.stderr
    assert (tmp_path / "kept").read_text() == "kept"


def test_functions_with_side_effects_are_those_that_were_looked_at() -> None:
    # By hand: random numbers and ids; sequences (there is none, and none can be made); waiting (which the
    # deadline ends); a log that is off and cannot be turned on; what a query tells about itself.
    harmless = {
        *("current_connection_id", "current_query", "current_query_id", "current_transaction_id", "currval"),
        *("error", "gen_random_uuid", "nextval", "random", "setseed", "setval", "sleep_ms", "stats", "uuid"),
        *("uuidv4", "uuidv7", "vector_type", "write_log"),
    }
    with duckdb.connect() as con:
        found = con.execute(
            "select distinct function_name from duckdb_functions() where function_type = 'scalar' "
            "and has_side_effects"
        ).fetchall()
    assert {name for (name,) in found} <= harmless


def test_every_function_on_the_list_is_one_of_duckdb() -> None:
    with duckdb.connect() as con:
        found = con.execute("select distinct function_name from duckdb_functions()").fetchall()
    assert {name for (name,) in found} >= TABLE_FUNCTIONS | FILE_FUNCTIONS
    assert not TABLE_FUNCTIONS & FILE_FUNCTIONS


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from proteins",
        "from proteins",
        "table saes",
        "values (1)",
        "(select 1)",
        "select * from proteins -- the last words",
        "select 1;",
        "select interval 1 day; -- the last words",
        "select interval 1 day as \"ß;\", 'ü;' /* ; */ ;; -- ;",
        "select to_days(1) -- the last words",
        "describe proteins",
        "summarize saes",
        "show tables",
        "from (describe proteins)",
        "explain select count(*) from proteins",
        "EXPLAIN ANALYZE select count(*) from proteins",
        "from feature_examples('a', 1)",
        "pivot saes on sae in ('a') using count(*)",
        "unpivot (select 1 as a, 2 as b) on a, b",
        "with recursive t(i) as (select 1 union all select i + 1 from t where i < 9) from t",
        "select sum(position) over (order by position) from activations",
        "select unnest([x + 1 for x in range(3)])",
        "from duckdb_columns() where table_name = 'proteins'",
        "from histogram(proteins, length)",
        "select columns('^p') from proteins",
    ],
)
def test_what_only_reads_is_answered(root: Path, sql: str) -> None:
    assert ask(root, sql).rows.num_rows >= 1


def test_an_empty_answer_keeps_its_columns(root: Path) -> None:
    answer = ask(root, "select accession, length from proteins where false")
    assert (answer.rows.num_rows, answer.rows.column_names) == (0, ["accession", "length"])
    assert not answer.is_truncated


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "</td><img src=x onerror=alert(1)>", "'; drop --"]
)
def test_script_tags_come_back_as_the_text_that_they_are(root: Path, text: str) -> None:
    quoted = text.replace("'", "''")
    assert one(ask(root, f"select '{quoted}' as \"<b>x</b>\"").rows) == text


VALUES: list[tuple[str, object]] = [
    ("interval 1 month", "1 month"),
    ("12::hugeint", 12),
    ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
    ("sum(range)", 3),
    ("12::uhugeint", 12),
    ("123456789012345678901234567890::bignum", "123456789012345678901234567890"),
    ("'5c09c02b-f4cd-40ce-b5f7-cbe3be361be9'::uuid", "5c09c02b-f4cd-40ce-b5f7-cbe3be361be9"),
    ("'a'::enum('a', 'b')", "a"),
    ("union_value(n := 1)", "1"),
    ("map {'a': 1}", "{a=1}"),
    ("'101'::bit", "101"),
    ("'12:00:00+02'::timetz", "12:00:00+02"),
    ("date 'infinity'", "infinity"),
    ("timestamp '290000-01-01'", "290000-01-01 00:00:00"),
    ("timestamptz '2020-01-01 00:00:00+00'::timestamp_ns", "2020-01-01 00:00:00"),
    ("timestamptz '2020-07-01 12:00:00+02'", "2020-07-01 10:00:00+00"),
    ("1::variant", "1"),
    ("'\\xAA'::blob", "\\xAA"),
    ("'{\"a\": 1}'::json", '{"a": 1}'),
    ("1.5::decimal(38, 10)", Decimal("1.5000000000")),
    ("99999999999999999999999999999999999999::decimal(38, 0)", Decimal(10**38 - 1)),
    ("[[1], null]", [[1], None]),
    ("[1, 2]::integer[2]", [1, 2]),
    ("{'a': 1, 'b': ['x']}", {"a": 1, "b": ["x"]}),
    ("{'a': interval 1 day}", "{'a': 1 day}"),
    ("null", None),
    ("'nan'::double = 'nan'::double", True),
]


def test_values_of_every_type_come_back(root: Path) -> None:
    columns = ", ".join(sql for sql, _ in VALUES)
    rows = ask(root, f"select {columns} from range(3) group by all").rows
    found = [column[0].as_py() for column in rows.columns]
    assert found == [value for _, value in VALUES]
    assert [type(value) for value in found] == [type(value) for _, value in VALUES]


def test_two_columns_of_one_name_come_back_in_their_order(root: Path) -> None:
    rows = ask(root, 'select 1 as a, interval 2 day as a, 3::hugeint as a, 4 as "#1"').rows
    assert rows.column_names == ["a", "a", "a", "#1"]
    assert [column[0].as_py() for column in rows.columns] == [1, "2 days", 3, 4]


def test_the_order_of_rows_is_kept_where_columns_become_text(root: Path) -> None:
    rows = ask(root, "select i, to_days(i::int) as d from range(5000) as t (i) order by i desc").rows
    assert rows.column(0).to_pylist() == list(range(4999, -1, -1))
    assert rows.column(1)[-2].as_py() == "1 day"


def test_a_long_answer_is_cut_and_says_so(root: Path) -> None:
    answer = ask(root, "select i, repeat('x', 100) from range(10000000) as t (i)")
    assert answer.is_truncated
    assert answer.rows.num_rows == 5000
    assert answer.seconds < 15
    assert not ask(root, "from range(5000)").is_truncated
    assert ask(root, "from range(5001)").is_truncated
    assert ask(root, "from range(3)", max_rows=2).rows.column(0).to_pylist() == [0, 1]


def test_an_answer_has_no_more_bytes_than_allowed(root: Path) -> None:
    answer = ask(root, "select repeat('x', 1000) from range(4000)", max_bytes=100_000)
    assert answer.is_truncated
    assert 90 <= answer.rows.num_rows <= 100
    assert answer.rows.nbytes <= 100_000
    with pytest.raises(InputError, match="one row of the answer is larger"):
        ask(root, "select repeat('x', 1000000)", max_bytes=100_000)


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from range(10000000) as a, range(10000000) as b where a.range + b.range = -1",
        "with recursive t (i) as (select 1 union all select i + 1 from t) select count(*) from t",
        "select sleep_ms(1000000)",
    ],
)
def test_what_has_no_end_is_killed_at_the_deadline(root: Path, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"took longer than 2 s and was stopped; narrow it down"):
        ask(root, sql, seconds=2)
    assert time.monotonic() - started < 6


@pytest.mark.parametrize(
    "sql",
    [
        "select length(repeat('x', 2000000000))",
        "select list_sum(range(1000000000))",
        "select length(list(i)::varchar) from range(300000000) as t (i)",
        "select array_agg(i) from range(100000000) as t (i)",
        "select length(string_agg(i::varchar, '')) from range(200000000) as t (i)",
        "with recursive t (x) as (select 'a' union all select x || x from t) select max(length(x)) from t",
        "select repeat('x', 50000000) from range(100)",
    ],
)
def test_what_needs_more_memory_than_allowed_is_refused_with_the_limit(root: Path, sql: str) -> None:
    with pytest.raises(InputError, match=r"more than 1 GiB of memory; narrow it down"):
        ask(root, sql, memory_bytes=1 << 30)


def test_what_spills_more_than_allowed_is_refused_with_the_limit(root: Path) -> None:
    sql = "select i, hash(i) from range(50000000) as t (i) order by 2 offset 49999999"
    with pytest.raises(InputError, match=r"more than 0.031 GiB of disk"):
        ask(root, sql, memory_bytes=256 << 20, spill_bytes=32 << 20, seconds=60)


def test_what_fits_on_disk_is_sorted_there(root: Path) -> None:
    sql = "select i from range(24000000) as t (i) order by hash(i), i offset 23999999"
    assert ask(root, sql, memory_bytes=448 << 20, seconds=240).rows.num_rows == 1


@pytest.mark.parametrize("sql", [f"select {'(' * 3000}1{')' * 3000}", f"select {'+'.join(['1'] * 40000)}"])
def test_deep_nesting_is_refused_in_words(root: Path, sql: str) -> None:
    with pytest.raises(InputError, match=r"depth|deeply"):
        ask(root, sql)


def test_questions_and_limits_that_make_no_sense_are_refused_together(root: Path) -> None:
    with pytest.raises(InputError, match=r"characters, and this has .*NUL.*max_rows.*memory_bytes"):
        ask(root, "select '\0'" + " " * 100_000, max_rows=0, memory_bytes=1)
    with pytest.raises(InputError, match="halves of characters"):
        ask(root, "select '\ud83d'")


def test_calls_at_the_same_time_have_their_own_answers(root: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda i: ask(root, f"select {i}, count(*) from activations", seconds=120), range(12))
        )
    assert [one(answer.rows) for answer in answers] == list(range(12))


def test_each_question_sees_the_newest_publish_while_there_is_building(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(5):
                with store.write(path, command="test") as tx:
                    small.add_proteins(tx, 10)
                    tx.publish()
            build.build(path)
        except BaseException as error:
            failed.append(error)
            raise

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(one(ask(path, "select count(*) from proteins", seconds=60).rows))
    writer.join()
    seen.append(one(ask(path, "select count(*) from proteins").rows))
    assert not failed
    assert seen == sorted(seen)
    assert set(seen) <= set(range(20, 71, 10))
    assert seen[-1] == 70


def test_a_warehouse_is_asked_where_it_was_moved_to(tmp_path: Path) -> None:
    small.make(tmp_path / "old").rename(tmp_path / "new")
    assert one(ask(tmp_path / "new", "select count(*) from proteins").rows) == 20
    with pytest.raises(NotThereError, match="init"):
        ask(tmp_path / "old", "select 1")


def test_a_lake_that_was_moved_to_another_disk_and_linked_is_asked(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    (path / layout.LAKE).rename(tmp_path / "disk")
    (path / layout.LAKE).symlink_to(tmp_path / "disk")
    assert one(ask(path, "select count(*) from proteins").rows) == 20


def test_variables_of_the_child_are_no_tables(root: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        ask(root, "select * from request")


def test_an_empty_warehouse_is_asked(warehouse: Path) -> None:
    assert one(ask(warehouse, "select count(*) from activations").rows) == 0


def test_a_damaged_table_is_named_and_others_are_answered(tmp_path: Path) -> None:
    path = small.make(tmp_path / "w")
    shutil.rmtree(path / layout.LAKE / "annotations")
    with pytest.raises(InputError, match="annotations cannot be read"):
        ask(path, "select * from annotations")
    assert one(ask(path, "select count(*) from proteins").rows) == 20


def test_temporary_files_are_never_in_the_warehouse(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(root / "saes"))
    with pytest.raises(InputError, match="TMPDIR"):
        ask(root, "select 1")


def parent(root: Path, folder: Path, seconds: float) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """Start a process that asks what has no end, and find its child."""
    script = (
        "import sys; from interplm_wh.console import ask; "
        "ask(sys.argv[1], 'select sleep_ms(1000000)', seconds=float(sys.argv[2]))"
    )
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root), str(seconds)], env=environment, stderr=subprocess.DEVNULL
    )
    asked = psutil.Process(process.pid)
    while not (children := asked.children()):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1.0)
    return process, children[0]


def test_ctrl_c_in_the_parent_ends_the_child(root: Path, temporary: Path) -> None:
    process, child = parent(root, temporary, 60)
    assert child.is_running()
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert not child.is_running()
    assert list(temporary.iterdir()) == []


def test_a_child_whose_parent_was_killed_ends_with_it(root: Path, tmp_path: Path) -> None:
    process, child = parent(root, tmp_path, 60 if sys.platform == "linux" else 4)
    process.kill()
    process.wait()
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running()


def test_a_child_that_nobody_watches_ends_at_its_deadline() -> None:
    script = (
        "import time; from interplm_wh.console import limits; "
        "limits.bound_time(0.1, threads=1, file_bytes=0); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=30, check=False)
    assert done.returncode == -signal.SIGALRM


def test_a_child_that_dies_is_told(root: Path) -> None:
    def kill() -> None:
        while not (children := answering()):
            time.sleep(0.01)
        time.sleep(1.0)
        children[0].send_signal(signal.SIGSEGV)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InputError, match="was ended by SIGSEGV"):
        ask(root, "select sleep_ms(1000000)", seconds=60)
    killer.join()


def test_a_child_loads_neither_torch_nor_polars_nor_what_the_network_needs() -> None:
    script = (
        "import sys, interplm_wh.console.child as c; print([m for m in sys.argv[1:] if m in sys.modules])"
    )
    heavy = ["torch", "polars", "pandas", "transformers", "click", "rich", "httpx", "altair"]
    done = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
