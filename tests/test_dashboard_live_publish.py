"""The dashboard beside commands that write: it holds no lock, breaks on nothing, and offers what is new."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from interplm_wh import build, store
from interplm_wh.ask import query
from interplm_wh.errors import InputError
from tests import small
from tests.browser import Visits, dashboard, wait_at_rest
from tests.pages import said
from tests.test_dashboard import opened

NEWER = "There is newer data: load it"
SLOWLY = 60_000  # milliseconds, on a busy machine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small built warehouse in which every page has something to draw."""
    path = small.make(tmp_path / "w")
    with store.write(path, command="test") as tx:
        tx.con.execute("update saes set plm = 'a-plm', layer = 1")
        tx.publish()
    build.build(path, min_residues=1, min_domains=1)
    return path


def publish_more(path: Path, n: int = 4) -> None:
    """Publish some more proteins."""
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, n)
        tx.publish()


def replace_everything(path: Path) -> None:
    """Publish each lake table anew, twice, and remove what only earlier publishes name."""
    for presence in (0.1, 0.2):
        with store.write(path, command="test") as tx:
            for table in ("proteins", "annotations", "coverage"):
                folder = tx.new_folder(table)
                tx.write_query(folder, f"from {table}")
                tx.replace(table, [folder], source=None if table == "proteins" else "mine")
            tx.publish()
        build.build(path, presence=presence)
    assert store.vacuum(path, min_age_seconds=0).n_folders > 0


def command(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    line = [sys.executable, "-m", "interplm_wh", "-w", str(path), *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


# -- a newer publish -----------------------------------------------------------------------------


def test_a_newer_publish_is_offered_and_loaded_at_a_press(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(path, monkeypatch)
    assert metrics(app)["Proteins"] == "20"
    assert NEWER not in buttons(app)
    publish_more(path)
    app.run()
    assert metrics(app)["Proteins"] == "20"  # a page does not change under its reader
    next(button for button in app.button if button.label == NEWER).click().run()
    assert not app.exception
    assert metrics(app)["Proteins"] == "24"
    assert NEWER not in buttons(app)


def test_commands_that_write_succeed_while_pages_are_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(path, monkeypatch, "feature", feature="1")
    for words in (["build", "--presence", "0.3"], ["vacuum"], ["remove", "source", "mine"]):
        done = command(path, *words)
        assert done.returncode == 0, done.stderr
        app.run()
        assert not app.exception
        assert app.title[0].value == "Feature 1"


# -- what was open is removed --------------------------------------------------------------------


@pytest.mark.parametrize("address", ["feature", "concept", "protein"])
def test_a_page_whose_files_were_vacuumed_is_drawn_from_the_newest_publish(
    path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    app = opened(path, monkeypatch)
    replace_everything(path)
    publish_more(path)
    app.switch_page(f"views/{address}.py").run()
    assert not app.exception
    assert not app.error
    assert NEWER not in buttons(app)  # it is open, and so is the rest of what is drawn
    app.switch_page("views/overview.py").run()
    assert metrics(app)["Proteins"] == "24"


def test_what_was_read_before_stands_until_the_newer_publish_is_loaded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(path, monkeypatch)
    publish_more(path)
    replace_everything(path)
    app.run()
    assert not app.exception
    assert metrics(app)["Proteins"] == "20"
    assert NEWER in buttons(app)


def test_a_damaged_warehouse_is_said_in_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(path, monkeypatch)
    for folder in (path / "lake" / "feature_stats" / "sae=a").iterdir():
        for file in folder.iterdir():
            file.unlink()
    app.switch_page("views/feature.py").run()
    assert not app.exception
    assert [error.value for error in app.error] == ["The warehouse cannot be read as it is."]
    assert "feature_stats" in app.code[0].value


def test_a_damaged_file_is_said_in_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(path, monkeypatch)
    for file in (path / "lake" / "feature_stats" / "sae=a").rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-20])
    app.switch_page("views/feature.py").run()
    assert not app.exception
    assert [error.value for error in app.error] == ["The warehouse cannot be read as it is."]
    assert "feature_stats" in app.code[0].value and "interplm-wh verify" in app.code[0].value
    with pytest.raises(InputError, match=r"bytes instead of .*; see: interplm-wh verify"):
        query(path, "from feature_stats")


def test_a_warehouse_that_is_removed_under_a_page_is_said_in_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(path, monkeypatch)
    path.rename(path.with_name("elsewhere"))
    for address in ("feature", "sql", "overview"):
        app.switch_page(f"views/{address}.py").run()
        assert not app.exception
        assert app.error and "there is no warehouse" in said(app)


# -- at the same time ----------------------------------------------------------------------------


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Repeat something in a thread until the block ends; a fault of it is raised here."""
    is_over = threading.Event()

    def again() -> None:
        while not is_over.is_set():
            work()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(again)
        try:
            yield
        finally:
            is_over.set()
        done.result()


def test_pages_visited_while_builds_and_vacuums_run_never_break(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(path, monkeypatch)
    with beside(lambda: replace_everything(path)):
        for i in range(12):
            address = ("overview", "feature", "concept", "protein")[i % 4]
            app.switch_page(f"views/{address}.py").run()
            assert not app.exception, (address, app.exception[0].message)
            assert not app.error, (address, app.error[0].value)
            if NEWER in buttons(app) and i % 3 == 0:
                next(button for button in app.button if button.label == NEWER).click().run()
                assert not app.exception


def crowd(path: Path, n_files: int) -> Path:
    """Give the folder of proteins so many files with the same rows, publish others twice; return it."""
    with store.write(path, command="test") as tx:
        old = tx.folder_paths("proteins")[0]
    part = next(old.iterdir())
    for i in range(1, n_files):
        os.link(part, old / f"more-{i}.parquet")
    for _ in range(2):
        with store.write(path, command="test") as tx:
            folder = tx.new_folder("proteins")
            os.link(part, folder / "part-0.parquet")
            tx.replace("proteins", [folder])
            tx.publish()
    return old


def test_a_folder_that_is_being_emptied_gives_no_rows_but_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half of its files would be half of its rows, which nobody notices.
    path = small.make(tmp_path / "w")
    old, remove, n_asked = crowd(path, 10), shutil.rmtree, 0

    def with_a_reader(folder: Path, **options: Any) -> None:
        nonlocal n_asked
        for file in sorted(folder.rglob("*.parquet"))[::2]:
            file.unlink()
        if folder.name.endswith(old.name):
            n_asked += 1
            with pytest.raises(duckdb.IOException):
                duckdb.execute("from read_parquet(?)", [f"{old}/*.parquet"]).fetchall()
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", with_a_reader)
    store.vacuum(path, min_age_seconds=0)
    assert (n_asked, old.exists()) == (1, False)
    assert not list(old.parent.glob("gone-*"))


def test_a_question_that_a_vacuum_interrupts_is_asked_again(tmp_path: Path) -> None:
    path, n_files = small.make(tmp_path / "w"), 400
    with store.open(path) as wh:
        crowd(path, n_files)
        seen: set[int] = set()

        def ask() -> None:
            seen.add(wh.sql("select sum(length)::bigint as n from proteins")["n"][0].as_py())

        with beside(ask):
            store.vacuum(path, min_age_seconds=0)
        ask()
    assert seen <= {20 * 30, 20 * 30 * n_files}
    assert 20 * 30 in seen


def test_threads_may_ask_one_warehouse_while_it_is_opened_anew(path: Path) -> None:
    question = "select count(*) as n from protein_features where sae = $sae and feature = $feature"

    def ask(i: int) -> int:
        return int(wh.polars(question, {"sae": "a", "feature": i % small.N_FEATURES})["n"][0])

    with store.open(path) as wh:
        expected = [ask(i) for i in range(60)]

        def renew() -> None:
            publish_more(path, 1)
            wh.refresh()

        with beside(renew), ThreadPoolExecutor(20) as pool:
            assert list(pool.map(ask, range(60))) == expected


def test_tables_given_with_a_question_are_there_for_it_alone(path: Path) -> None:
    with store.open(path) as wh:
        given = pl.DataFrame({"n": [1, 2, 3]}).to_arrow()
        assert wh.polars("select sum(n)::bigint as s from given", tables={"given": given})["s"][0] == 6
        with pytest.raises(duckdb.CatalogException, match="given"):
            wh.sql("from given")
        publish_more(path)
        replace_everything(path)
        asked = "select count(*) as n from proteins, given"
        assert wh.polars(asked, tables={"given": given})["n"][0] == 24 * 3


# -- in browsers ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_sessions_that_step_quickly_beside_new_publishes_stay_whole(path: Path, visits: Visits) -> None:
    with dashboard(path) as url:
        pages = [visits.open(f"{url}/feature?feature={i}") for i in (0, 3)]
        for page in pages:
            expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=SLOWLY)
        with beside(lambda: replace_everything(path)):
            for i in range(20):
                for page in pages:
                    name = "Next" if i // 2 % 2 == 0 else "Previous"
                    button = page.get_by_role("button", name=name)
                    button.evaluate("button => button.click()")  # nothing where it is disabled just now
        for page in pages:
            # A session whose files a vacuum took goes to the newest by itself, with the next of its steps.
            wait_at_rest(page, timeout=SLOWLY, rest=1_500)
        publish_more(path)
        for page in pages:
            newer = page.get_by_role("button", name=NEWER)
            expect(newer).to_be_visible(timeout=SLOWLY)
            newer.click()
            expect(newer).to_be_hidden(timeout=SLOWLY)
            expect(page.get_by_role("heading", level=1)).to_contain_text("Feature", timeout=SLOWLY)
            assert page.get_by_test_id("stException").count() == 0
        visits.close()  # before their server
