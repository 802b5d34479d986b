"""The questions of `docs/questions.md` run as they stand, from Python and in the plain shell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import interplm_wh
from interplm_wh import sqlfile

PAGE = Path(__file__).parents[1] / "docs" / "questions.md"
QUESTIONS = re.findall(r"## (.*?)\n\n```sql\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
# The demo's export is sound: no row of it is rejected; and the demo evaluates nothing.
EMPTY = {
    "Which rows of the input could not be taken, and why?",
    "How sparse and how faithful is each SAE, where it was evaluated?",
}
README = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
README_QUERIES = re.findall(r'(?:query |polars\()"(.*?)"', README)

pytestmark = pytest.mark.slow


def test_the_queries_of_the_readme_run(demo_warehouse: Path) -> None:
    assert len(README_QUERIES) >= 3
    with interplm_wh.open(demo_warehouse) as wh:
        for sql in README_QUERIES:
            asked = sql.replace("'l4', 1503", "'demo-sae', 931").replace("'l4'", "'demo-sae'")
            assert wh.sql(asked).num_rows > 0, sql


def test_every_question_is_on_the_page() -> None:
    assert {what for what, _ in QUESTIONS} == {file.what for file in sqlfile.load_folder("cookbook").values()}


@pytest.mark.parametrize(("what", "sql"), QUESTIONS, ids=[what for what, _ in QUESTIONS])
def test_a_question_has_an_answer(demo_warehouse: Path, what: str, sql: str) -> None:
    with interplm_wh.open(demo_warehouse) as wh:
        rows = wh.sql(sql)
    assert (rows.num_rows == 0) == (what in EMPTY)


def test_the_plain_shell_answers_them_all_the_same(demo_warehouse: Path) -> None:
    shell = Path(sys.executable).with_name("duckdb")
    script = "\n".join(f"select count(*) as n from ({sql.rstrip(';')}) as question;" for _, sql in QUESTIONS)
    done = subprocess.run(
        [shell, "-readonly", "-csv", "-noheader", "warehouse.duckdb"],
        input=script, cwd=demo_warehouse, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with interplm_wh.open(demo_warehouse) as wh:
        ours = [wh.sql(sql).num_rows for _, sql in QUESTIONS]
    assert [int(line) for line in done.stdout.split()] == ours


@pytest.mark.parametrize("name", sorted(sqlfile.load_folder("macros")))
def test_every_macro_is_described_and_typed(demo_warehouse: Path, name: str) -> None:
    file = sqlfile.load("macros", name)
    values = {"wanted_sae": "'demo-sae'", "wanted_feature": "1", "wanted_accession": "'x'"}
    values |= {"wanted_position": "1", "wanted_concept": "'x'", "wanted_accessions": "['x']"}
    values |= {"wanted_variant": "'x'"}
    values |= {
        "cut": "0.5",
        "wanted_features": "[1, 2]",
        "wanted_kind": "'decoder'",
        "wanted_split": "'test'",
        "left_sae": "'demo-sae'",
        "right_sae": "'demo-neurons'",
    }
    given = ", ".join(values[p.name] for p in file.params if p.default is None)
    with interplm_wh.open(demo_warehouse) as wh:
        assert set(file.grain) - {"one row"} <= set(wh.sql(f"from {name}({given})").column_names)
