"""The page of SAEs: its examples run, and its tables name what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

from interplm_wh.errors import ModelError
from interplm_wh.sae import formats, registry, source
from interplm_wh.sae.formats import saelens, to_interplm, to_saelens
from interplm_wh.sae.load import read_sae
from tests.peers.common import D, F, hidden
from tests.test_formats import random, saved

PAGE = Path(__file__).resolve().parents[1] / "docs" / "saes.md"


def module(path: Path, code: str) -> ModuleType:
    """Run code of the page as a file."""
    path.write_text(code)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files on the page, registered as it says."""
    code, line, form = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (entry,) = re.findall(r'"(\w+)": (\w+),', line)
    architecture = getattr(module(tmp_path / "prolu.py", code), entry[1])
    monkeypatch.setitem(registry.ARCHITECTURES, entry[0], architecture)
    known = (*formats.FORMATS, module(tmp_path / "laboratory.py", form))
    monkeypatch.setattr(formats, "FORMATS", known)
    monkeypatch.setattr(source, "FORMATS", known)


@pytest.mark.usefixtures("shown")
def test_the_architecture_and_the_format_on_the_page_work_when_they_are_registered(tmp_path: Path) -> None:
    t = {"enc": random(F, D), "dec": random(F, D), "gate": random(F), "centre": random(D)}
    for layer in (2, 3):
        saved(tmp_path / "saes" / f"prolu_layer{layer}.safetensors", t)
    loaded = read_sae(str(tmp_path / "saes"), layer=3)
    assert (loaded.format, loaded.kind, loaded.sae.architecture) == ("Laboratory", "ProLU", "prolu")
    m = (hidden() - t["centre"]) @ t["enc"].T
    f = m * ((m + t["gate"] > 0) & (m > 0))
    torch.testing.assert_close(loaded.sae.encode(hidden()), f, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(loaded.sae.encode(hidden(), features=slice(3, 9)), f[:, 3:9])
    torch.testing.assert_close(
        loaded.sae.reconstruct(hidden()), f @ t["dec"] + t["centre"], atol=1e-3, rtol=1e-4
    )
    broken = saved(tmp_path / "prolu_layer4.safetensors", {**t, "gate": random(F + 1)})
    with pytest.raises(ModelError, match=r"gate has the shape \[41\], expected \[40\]"):
        read_sae(str(broken))


def test_the_table_of_exports_is_what_can_be_written() -> None:
    rows = re.findall(
        r"^\| (`.*?`) \| (.*?) \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    table = {
        name: (lens, plm) for names, lens, plm in rows for name in re.findall(r"`(\w+)`", names)
        if name in registry.ARCHITECTURES
    }  # fmt: skip
    assert table.keys() == registry.ARCHITECTURES.keys()
    assert {name for name, (lens, _) in table.items() if lens != "no"} == set(to_saelens._ARCHITECTURES)
    assert {name for name, (_, plm) in table.items() if plm != "no"} == set(to_interplm._KINDS)
    for name, theirs in to_saelens._ARCHITECTURES.items():
        assert f"`{theirs}`" in table[name][0]
    for name, theirs in to_interplm._KINDS.items():
        assert theirs == table[name][1]


def test_every_format_and_what_it_reads_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for form in formats.FORMATS:
        assert form.NAME in text
    for architecture in saelens._NEEDED:
        assert f"`{architecture}`" in text
