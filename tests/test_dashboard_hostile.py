"""Names and addresses that are attacks: every page shows them as the text that they are, or falls back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

import interplm_wh
from interplm_wh.dashboard import frame
from interplm_wh.dashboard.charts.look import literal
from tests.pages import opened, sound

PAGES = (
    "overview", "feature", "concept", "suggestions", "steering", "protein", "variants", "sequence",
    "compare", "sql",
)  # fmt: skip
# Fields of Streamlit's messages that its pages read as Markdown; of all others none is.
MARKDOWN = {"body", "label", "help", "delta", "content", "title", "caption", "captions", "value_label"}
PLAIN_ELEMENTS = {"code", "text_area", "text_input", "selectbox", "dataframe", "vega_lite_chart"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile.make(tmp_path_factory.mktemp("hostile").resolve() / "w")


def texts(message: Message, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a message, with the name of its field."""
    for descriptor, value in message.ListFields():
        parts = value if descriptor.is_repeated else [value]
        for part in parts:
            if isinstance(part, Message):
                yield from texts(part, descriptor.name)
            elif isinstance(part, str):
                yield descriptor.name, part


def markdown(app: AppTest) -> list[str]:
    """All that is read as Markdown on a page."""
    found = []
    for part in (part for part in [*app.main, *app.sidebar] if part.proto is not None):
        for kind, text in texts(part.proto):
            if kind in MARKDOWN and not (part.type in PLAIN_ELEMENTS and kind in ("body", "content")):
                found.append(text)
    return found


def unescaped(app: AppTest) -> list[str]:
    """Names that stand in Markdown as they are."""
    dangerous = [text for text in (*hostile.TEXTS, *hostile.ACCESSIONS) if frame.plain(text) != text]
    return [
        text for text in dangerous for shown in markdown(app) if text in shown.replace(frame.plain(text), "")
    ]


def queries(root: Path) -> list[tuple[str, dict[str, str]]]:
    """Every page at every hostile name that its address may hold."""
    found: list[tuple[str, dict[str, str]]] = [(page, {}) for page in PAGES]
    with interplm_wh.open(root) as wh:
        concepts = wh.sql("select concept from concepts where source = 'lab'")["concept"].to_pylist()
    found += [("concept", {"concept": concept}) for concept in concepts]
    found += [("suggestions", {"concept": concept}) for concept in concepts]
    found += [("protein", {"protein": accession}) for accession in hostile.ACCESSIONS]
    found += [("variants", {"wild_type": accession}) for accession in hostile.ACCESSIONS]
    found += [("feature", {"feature": str(i)}) for i in range(hostile.N_FEATURES)]
    found += [("steering", {"run": f"run{i}"}) for i in range(len(hostile.ACCESSIONS))]
    return found


def test_no_name_reaches_markdown_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for address, query in queries(root):
        app = opened(root, monkeypatch, address, **query)
        assert not app.error
        if names := unescaped(app):
            found[address, *query.values()] = names
    assert found == {}


def test_names_of_pasted_sequences_are_text(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fasta = "".join(f">{text}\nACDEF\n" for text in ("![x](http://evil.example/x.png)", "<script>", "**b**"))
    app = opened(root, monkeypatch, "sequence")
    app.text_area(key="text").set_value(fasta + ">empty**b**\n\n")
    assert unescaped(sound(app.run())) == []
    assert app.error  # no model runs here; and one of them is empty
    assert "**b**" not in app.error[0].value


@pytest.mark.parametrize(
    ("address", "query"),
    [
        *(
            ("protein", {"protein": text})
            for text in (*hostile.TEXTS[:8], "../../../etc/passwd", "%2e%2e/", "\x00", "x" * 5000)
        ),
        *(
            ("feature", {"feature": text})
            for text in ("abc", "-1", "99999999999", "1e400", "nan", "", "1.5", "inf")
        ),
        *(("steering", {"run": text}) for text in (*hostile.TEXTS[:8], "\x00", "x" * 5000)),
        *((page, {"sae": text}) for page in PAGES for text in ("nothing", "../../x", "<script>")),
        *(("concept", {"concept": text}) for text in (*hostile.TEXTS[:4], "no such", "")),
        *(("concept", {"split": text}) for text in ("train", "<script>", "", "'; drop table x")),
        *(("protein", {"residue": text}) for text in ("0", "-5", "9" * 20, "abc", "", "1e400", "-inf")),
        *(("protein", {"k": text}) for text in ("7", "-1", "99999", "abc", "40,50", "inf")),
        *(("protein", {"order": text}) for text in ("zzz", "<script>")),
        *(("feature", {"bin": text}) for text in ("zzz", "0-0", "<script>")),
        *(("feature", {"which": text}) for text in ("zzz", "'; drop")),
        *(("feature", {"share": text}) for text in ("zzz", "5", "inf,nan")),
        *(("feature", {"zoom": text}) for text in ("zzz", "true")),
        *(("suggestions", {"concept": text}) for text in (*hostile.TEXTS[:4], "no such", "")),
        *(("suggestions", {"place": text}) for text in ("zzz", "<script>", "P1 1-2", "")),
        *(("suggestions", {"precision": text}) for text in ("7", "abc", "inf", "-1", "")),
        *(("variants", {"wild_type": text}) for text in (*hostile.TEXTS[:4], "no such", "")),
        *(("variants", {"of": text}) for text in ("zzz", "<script>", "-1", "9" * 30, "")),
        *(("variants", {"variant": text}) for text in ("zzz", "<script>", "A1")),
        *(("compare", {"with": text}) for text in ("a", "nothing", "<script>")),
        *(("sql", {"look": text}) for text in ("zzz", "<script>", "proteins; drop")),
        *(("sql", {"find": text}) for text in ("<script>", "%", "\\")),
        *(("sql", {"question": text}) for text in ("zzz",)),
        *((page, {"no_such_parameter": "<script>"}) for page in PAGES),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_address_that_is_wrong_falls_back_without_an_error(
    root: Path, monkeypatch: pytest.MonkeyPatch, address: str, query: dict[str, str]
) -> None:
    app = opened(root, monkeypatch, address, **query)
    assert not app.error
    assert unescaped(app) == []
    assert app.title or app.info


@pytest.mark.parametrize("query", [{"sae": "<script>alert(1)</script>"}, {"feature": "-1"}, {}])
@pytest.mark.parametrize("address", PAGES)
def test_a_warehouse_without_anything_falls_back_too(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, address: str, query: dict[str, str]
) -> None:
    assert not opened(warehouse, monkeypatch, address, **query).error


def test_the_warehouse_is_as_it_was(root: Path) -> None:
    with interplm_wh.open(root) as wh:
        assert wh.sql("select count(*) as n from proteins")["n"].to_pylist() == [len(hostile.ACCESSIONS)]
    assert interplm_wh.ask.verify(root).is_sound


@pytest.mark.parametrize("text", ["a\n\n    b", "x\n===", "\tlead", "a  b"])
def test_plain_text_is_one_line(text: str) -> None:
    assert frame.plain(text).replace("\\", "") == " ".join(text.split())


def test_commands_to_copy_are_quoted_for_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = interplm_wh.store.init(tmp_path.resolve() / "$(touch pwned); x")
    monkeypatch.chdir(tmp_path)
    app = opened(root, monkeypatch, "overview")
    assert "interplm-wh -w '$(touch pwned); x' build" in app.code[0].value


@pytest.mark.parametrize("text", hostile.TEXTS)
def test_a_name_in_a_charts_expression_is_a_literal_and_nothing_is_put_into_it(text: str) -> None:
    spelt = literal([text])
    assert json.loads(spelt) == [text]
    assert "datum.label" not in spelt and spelt.isascii()
