"""The page for SQL: what it refuses, what it shows of answers that may hold anything, what stands beside."""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import small
from streamlit.testing.v1 import AppTest

import interplm_wh
import interplm_wh.dashboard.views.sql
from interplm_wh import build, sqlfile
from interplm_wh.dashboard import asking, dictionary, views
from interplm_wh.dashboard.asking import Bounds
from interplm_wh.dashboard.charts import answer as answers
from interplm_wh.dashboard.charts.save import saved
from interplm_wh.errors import InputError
from tests.children import answering
from tests.pages import opened, said, sound

SECRET = "what-nobody-may-read"
PASSWD = Path("/etc/passwd").read_text().splitlines()[0]
ENDLESS = "select count(*) from range(10000000) as a, range(10000000) as b where a.range + b.range = -1"


def fingerprint(folder: Path) -> dict[str, str]:
    """What every file of a folder holds."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built warehouse, and beside it what must not be read."""
    above = tmp_path_factory.mktemp("sql").resolve()
    root = small.make(above / "w")
    build.build(root)
    (above / "secret.csv").write_text(f"a\n{SECRET}\n")
    return root


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path.resolve() / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def untouched(root: Path, temporary: Path) -> Iterator[None]:
    """Nothing is written in the warehouse, beside it or among temporary files, and no process is left."""
    before = fingerprint(root.parent)
    yield
    assert fingerprint(root.parent) == before
    assert list(temporary.iterdir()) == []
    assert answering() == []


def run(app: AppTest, sql: str) -> AppTest:
    """Type SQL into the page, and press Run."""
    app.text_area(key="sql").set_value(sql)
    next(button for button in app.button if button.label == "Run").click()
    return sound(app.run())


def rows(app: AppTest) -> pd.DataFrame:
    """The table of the answer."""
    found: pd.DataFrame = app.tabs[0].dataframe[0].value
    return found


def refusal(app: AppTest) -> str:
    """What the page says instead of an answer."""
    (error,) = app.error
    return str(error.value).replace("\\", "")


ATTACKS = {
    "copy proteins to '{root}/lake/evil.csv'": "this is COPY",
    "copy (select 1) to '{root}/../evil.csv'": "this is COPY",
    "with x as (copy (select 1) to '{root}/lake/evil.csv') select 1": "COPY inside",
    "attach '{root}/../evil.duckdb'": "this is ATTACH",
    "from read_csv('/etc/passwd')": "cannot be called here",
    "from read_text('{root}/../secret.csv')": "cannot be called here",
    "from '{root}/../secret.csv'": "Permission Error",
    "from '/etc/passwd'": "Error",
    "install httpfs": "this is LOAD",
    "load httpfs": "this is LOAD",
    "set memory_limit = '100GB'": "this is",
    "pragma database_list": "this is PRAGMA",
    "create table x as select 1": "this is CREATE",
    "drop table proteins": "this is DROP",
    "select 1; drop table proteins": "2 statements",
    "select length(repeat('x', 2e9::bigint))": "memory",
    "from nothing_like_this": "does not exist",
    "selec 1": "syntax error",
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.usefixtures("untouched")
def test_an_attack_is_answered_in_words_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    app = run(opened(root, monkeypatch, "sql"), attack.format(root=root))
    assert ATTACKS[attack] in refusal(app)
    assert PASSWD not in said(app) and SECRET not in said(app)
    assert str(root.parent) not in refusal(app)
    assert not app.tabs


@pytest.mark.usefixtures("untouched")
def test_what_has_no_end_is_stopped_and_not_asked_again_by_itself(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "BOUNDS", Bounds(seconds=4))
    app = opened(root, monkeypatch, "sql")
    started = time.monotonic()
    assert "took longer than 4 s and was stopped" in refusal(run(app, ENDLESS))
    assert time.monotonic() - started < 10
    started = time.monotonic()
    app.text_input(key="find").set_value("protein")
    assert "took longer" in refusal(sound(app.run()))
    assert time.monotonic() - started < 3


@pytest.mark.usefixtures("untouched")
def test_a_shared_address_asks_within_the_same_bounds_and_the_help_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(root, monkeypatch, "sql", sql="select 40 + 2 as answer")
    assert rows(app)["answer"].to_list() == [42]
    assert "who opens a copied address asks it" in app.text_area(key="sql").help
    monkeypatch.setattr(asking, "BOUNDS", Bounds(seconds=3))
    assert "took longer than 3 s" in refusal(opened(root, monkeypatch, "sql", sql=ENDLESS))
    assert "COPY inside" in refusal(
        opened(root, monkeypatch, "sql", sql=f"with x as (copy (select 1) to '{root}/lake/e') select 1")
    )


@pytest.mark.usefixtures("untouched")
def test_two_questions_are_answered_at_a_time_and_others_are_told(root: Path) -> None:
    bounds = Bounds(seconds=6, wait_seconds=0.5)
    seen = []
    done = threading.Event()

    def count() -> None:
        while not done.wait(0.05):
            seen.append(len(answering()))

    def one(_: int) -> str:
        with pytest.raises(InputError) as refused:
            asking.ask_in_turn(root, ENDLESS, bounds=bounds)
        return str(refused.value)

    counting = threading.Thread(target=count)
    counting.start()
    with ThreadPoolExecutor(6) as pool:
        words = sorted(pool.map(one, range(6)))
    done.set()
    counting.join()
    assert [("others" if "2 other questions" in w else "stopped") for w in words] == ["others"] * 4 + [
        "stopped"
    ] * 2
    assert max(seen) == 2
    # A turn is given back whatever happened.
    assert asking.ask_in_turn(root, "select 1", bounds=Bounds(wait_seconds=0.1)).rows.num_rows == 1


@pytest.mark.usefixtures("untouched")
def test_a_question_waits_for_its_turn(root: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        bounds = Bounds(wait_seconds=60)
        answers = list(pool.map(lambda i: asking.ask_in_turn(root, f"select {i}", bounds=bounds), range(4)))
    assert [answer.rows.column(0)[0].as_py() for answer in answers] == [0, 1, 2, 3]


@pytest.mark.slow
def test_every_example_question_is_answered_on_the_page(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "sql")
    box = app.selectbox(key="question")
    assert box.options == [file.what for file in sqlfile.load_folder("cookbook").values()]
    empty = {
        "Which rows of the input could not be taken, and why?",
        "How sparse and how faithful is each SAE, where it was evaluated?",
    }
    for question in box.options:
        app.selectbox(key="question").set_value(question)
        sound(app.run())
        assert not app.error, (question, app.error[0].value)
        assert (len(rows(app)) == 0) == (question in empty), question


@pytest.mark.slow
def test_every_example_call_of_a_macro_is_answered(
    demo_warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(demo_warehouse, monkeypatch, "sql")
    found = [name for name in app.selectbox(key="look").options if name in sqlfile.load_folder("macros")]
    assert found == list(sqlfile.load_folder("macros"))
    with interplm_wh.open(demo_warehouse) as wh:
        for name in found:
            app.selectbox(key="look").set_value(name)
            sound(app.run())
            assert wh.sql(app.code[0].value).column_names, name


def test_an_example_goes_into_the_box_and_is_asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(root, monkeypatch, "sql", look="feature_examples")
    example = app.code[0].value
    assert example.startswith("from feature_examples('a', ")
    app.button(key="example").click()
    sound(app.run())
    assert app.text_area(key="sql").value == example
    assert len(rows(app)) > 0


def test_tables_and_macros_are_described_by_the_data_dictionary(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(root, monkeypatch, "sql", look="feature_stats")
    table = interplm_wh.schema.table("feature_stats")
    shown = app.dataframe[0].value
    assert shown["column"].to_list() == [c.name for c in table.columns]
    assert shown["meaning"].to_list() == [c.comment for c in table.columns]
    assert any(table.what.split()[0] in c.value for c in app.caption)
    app.selectbox(key="look").set_value("feature_examples")
    sound(app.run())
    shown = app.dataframe[0].value
    assert shown.loc[shown["parameter"] == "k", ["type", "default", "meaning"]].to_numpy().tolist() == [
        ["INTEGER", "10", "number of proteins"]
    ]


def test_a_word_of_a_description_finds_what_it_stands_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(root, monkeypatch, "sql", find="STRONGEST")
    names = app.selectbox(key="look").options
    assert "feature_examples" in names and "proteins" not in names
    app.text_input(key="find").set_value("<script>alert(1)</script>")
    assert any("No table, column or macro" in c.value for c in sound(app.run()).caption)


@pytest.mark.parametrize("look", ["", "feature_examples", "proteins", "annotations_of"])
def test_an_empty_warehouse_is_asked(warehouse: Path, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    app = opened(warehouse, monkeypatch, "sql", look=look, sql="select count(*) as n from proteins")
    assert rows(app)["n"].to_list() == [0]
    if look:
        app.button(key="example").click()
        assert not sound(app.run()).error
        assert len(rows(app)) == 0


def test_example_values_that_are_hostile_are_quoted(root: Path) -> None:
    file = sqlfile.load("macros", "residue_features")
    values = {
        "sae": "a'); drop table x; --",
        "feature": 1,
        "accession": "it's",
        "position": 1,
        "concept": None,
    }
    said = dictionary.call(file, values)
    assert said.removeprefix("from residue_features") == "('a''); drop table x; --', 'it''s', 1)"


HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a.b", "a[0]", "a:Q", "image", "title",
    "datum.x", "![x](http://evil/x.png)", ":material/x:", "$x^2$", "`", "'", "\\", '"]+alert(1)+["', "\u202e",
    "é🧬", "=1+1", "a\nb", "sum(x)", "__proto__", "constructor", "index", "x" * 2000,
)  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("mark", ["bars", "line", "points"])
def test_columns_with_hostile_names_are_shown_and_drawn(
    root: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    columns = ", ".join(f"range + {i} as {quoted(name)}" for i, name in enumerate(HOSTILE))
    app = run(opened(root, monkeypatch, "sql"), f"select {columns}, 'x' as \"<b>\" from range(3)")
    assert list(rows(app).columns) == [*HOSTILE, "<b>"]
    app.selectbox(key="mark").set_value(mark)
    for name in (*HOSTILE[:7], HOSTILE[-1]):
        app.selectbox(key="up").set_value(name)
        app.selectbox(key="across").set_value(HOSTILE[8])
        app.selectbox(key="colour").set_value("<b>")
        sound(app.run())
        assert any("3 rows" in c.value for c in app.caption)
        (chart,) = app.get("vega_lite_chart")
        assert '"field": "y"' in chart.proto.spec


def test_two_columns_of_one_name_are_told_apart(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(opened(root, monkeypatch, "sql"), 'select 1 as a, 2 as a, 3 as "a (2)", 4 as a')
    assert list(rows(app).columns) == ["a", "a (2)", "a (2) (2)", "a (3)"]


VALUES = (
    "null", "'nan'::double", "'inf'::double", "-1.5e308", "170141183460469231731687303715884105727::hugeint",
    "9223372036854775807", "interval 1 month", "date '1999-12-31'", "date 'infinity'", "time '12:00'",
    "timestamptz '2020-07-01 12:00:00+02'", "'\\xAA'::blob", "[1, null]", "[[1], null]",
    "{'a': [1], 'b': 'x'}", "{'a': {'b': null}}", "map {'a': 1}", "[1, 2]::integer[2]", "true",
    "1.5::decimal(38, 10)",
    "'<script>alert(1)</script>'", "'=cmd|x'", "''", "repeat('x', 2000)", "union_value(n := 1)", "uuid()",
    "row(1, 2)", "[]", "'a'::enum('a')",
)  # fmt: skip


def test_values_of_every_type_are_shown_and_saved(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ", ".join(f"{value} as v{i}" for i, value in enumerate(VALUES))
    app = run(opened(root, monkeypatch, "sql"), f"select {columns} from range(2)")
    assert not app.error
    assert rows(app).shape == (2, len(VALUES))
    for name in ("v1", "v2", "v3", "v5", "v19"):
        app.selectbox(key="up").set_value(name)
        app.selectbox(key="across").set_value("v20")
        sound(app.run())
    app.selectbox(key="up").set_value("v1")
    assert any("No row has a finite number" in c.value for c in sound(app.run()).caption)


def test_files_hold_all_rows_as_they_are(root: Path) -> None:
    answer = interplm_wh.console.ask(
        root, "select '=1+1' as \"=a\", [1, 2] as b, null::double as c, 'nan'::double as d from range(2)"
    )
    csv = views.sql._file(answer.rows, "csv")
    assert csv == b'"=a","b","c","d"\n"=1+1","[1, 2]",,nan\n"=1+1","[1, 2]",,nan\n'
    table = pq.read_table(io.BytesIO(views.sql._file(answer.rows, "parquet")))
    assert str(table.to_pylist()) == str(answer.rows.to_pylist())  # a NaN is unequal to itself
    assert "formula" in views.sql._CSV_HELP


def test_a_chart_is_saved_as_a_picture_with_names_as_text() -> None:
    name = "</text><script>alert(1)</script>"
    data = pl.DataFrame({name: ["<img src=x onerror=alert(1)>", "b"], "n": [1.0, 2.0]})
    drawn = answers.answer(data, across=name, up="n", mark="bars", colour=name)
    svg = saved(drawn.chart, "svg").decode()
    assert "<script" not in svg and "<img" not in svg and "&lt;script&gt;" in svg
    assert saved(drawn.chart, "png").startswith(b"\x89PNG")


def test_a_chart_has_5000_rows_at_most_and_leaves_out_what_is_no_number() -> None:
    data = pl.DataFrame(
        {"a": range(6000), "b": [None, float("nan"), float("inf"), *range(5997)]}, strict=False
    )
    drawn = answers.answer(data, across="a", up="b", mark="points")
    assert (drawn.n_rows, drawn.n_left_out, drawn.repeats) == (5000, 1000, False)
    drawn = answers.answer(data.head(10), across="a", up="b", mark="points")
    assert (drawn.n_rows, drawn.n_left_out) == (7, 3)


def test_no_column_is_named_as_a_picture_in_a_tooltip() -> None:
    data = pl.DataFrame({"image": ["http://evil.example/x.png"], "title": [1.0]})
    spec = answers.answer(data, across="image", up="title", mark="bars").chart.to_dict()
    assert [tip["title"] for tip in spec["encoding"]["tooltip"]] == ["image ", "title "]
