"""Pages of a warehouse that another version of the package published, or that is not as it should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
import small

from interplm_wh import build, sqlfile, store
from interplm_wh.console import ask
from interplm_wh.errors import NotThereError
from tests.pages import opened, said

PAGES = ("overview", "feature", "concept", "protein", "sequence", "compare", "sql")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = small.make(tmp_path_factory.mktemp("versions") / "w")
    build.build(path, min_residues=5, min_domains=3)
    return path


@pytest.fixture
def older(built: Path, tmp_path: Path) -> Path:
    """A warehouse whose catalogue has none of the macros but one, which answers otherwise."""
    path = shutil.copytree(built, tmp_path.resolve() / "older")
    with duckdb.connect(path / "warehouse.duckdb") as con:
        for name in sqlfile.load_folder("macros"):
            con.execute(f"drop macro table {name}")
        con.execute("create macro report_summary(x) as table select 'outdated' as sae")
    return path


def test_macros_of_the_package_lie_over_those_of_the_catalogue(older: Path) -> None:
    with store.open(older) as wh:
        assert wh.sql("from report_summary('a')").column_names == ["sae"]
    with store.open(older, own_macros=True) as wh:
        assert "n_concepts" in wh.sql("from report_summary('a')").column_names
        with store.write(older, command="test") as tx:
            small.add_proteins(tx, 1)
            tx.publish()
        assert wh.refresh()
        assert "n_concepts" in wh.sql("from report_summary('a')").column_names


@pytest.mark.parametrize("address", PAGES)
def test_every_page_works_where_an_older_version_published(
    older: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert not opened(older, monkeypatch, address).error


def test_the_console_has_the_macros_of_the_package(older: Path) -> None:
    assert ask(older, "from feature_examples('a', 1)").rows.num_rows == 10


@pytest.mark.parametrize("address", ["overview", "sql"])
def test_a_catalogue_that_lacks_a_table_is_said_with_the_command_that_mends_it(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    path = shutil.copytree(built, tmp_path.resolve() / "damaged")
    with duckdb.connect(path / "warehouse.duckdb") as con:
        con.execute("drop table concepts")
    app = opened(path, monkeypatch, address)
    assert "interplm-wh -w WAREHOUSE build" in said(app).replace("\\", "")
    with pytest.raises(NotThereError, match="another version"):
        store.open(path, own_macros=True)


@pytest.mark.parametrize("address", ["overview", "sql"])
def test_a_warehouse_that_is_gone_is_said(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    path = shutil.copytree(built, tmp_path.resolve() / "gone")
    shutil.rmtree(path)
    assert "there is no warehouse" in said(opened(path, monkeypatch, address))
