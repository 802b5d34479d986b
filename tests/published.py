"""Warehouses to publish, and what is asked of them in both places."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest
import small

from interplm_wh import build, schema, store
from interplm_wh.store import catalogue

N_PROTEINS, N_LARGE = 2_000, 300
"""Proteins and features of the large one: its protein_features has five row groups."""
_LARGE = {
    "features": "select f::integer as feature, 1::float as max_activation, 1::float as decoder_norm "
    "from range($features) as t (f)",
    "protein_features": "select f::integer as feature, p::integer as protein_id, "
    "(0.05 + (hash(f, p) % 1000003) / 1e6)::float as activation, "
    "(1 + hash(p, f) % 30)::integer as position, (1 + hash(f, p, 1) % 9)::integer as n_residues "
    "from range($features) as a (f), range($proteins) as b (p)",
    "activations": "select p::integer as protein_id, (1 + hash(p, f) % 30)::integer as position, "
    "f::integer as feature, (0.05 + (hash(f, p) % 1000003) / 1e6)::float as value "
    "from range($features) as a (f), range($proteins) as b (p)",
}
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3", "HF_TOKEN", "HF_ENDPOINT", "GOOGLE_APPLICATION_CREDENTIALS",
    "STORAGE_EMULATOR_HOST",
)  # fmt: skip


def make(path: Path, *, n: int = 20) -> Path:
    """Make a warehouse of proteins of 30 residues, and build it."""
    small.make(path, n=n)
    build.build(path, min_residues=10, min_domains=2)
    return path


def make_large(path: Path) -> Path:
    """Make a warehouse whose largest tables do not compress; only what examples read is in it."""
    store.init(path)
    with store.write(path, command="test") as tx:
        small.add_proteins(tx, N_PROTEINS)
        tx.con.execute(
            "insert into saes by name select 'a' as sae, 'external' as architecture, $n as n_features, "
            "'none' as input_norm, 'sae' as role, 'test' as source, 0 as min_value, false as is_forced",
            {"n": N_LARGE},
        )
        for name, sql in _LARGE.items():
            folder = tx.new_folder(name, sae="a")
            asked = {"features": N_LARGE, "proteins": N_PROTEINS}
            tx.write_query(folder, sql, {key: n for key, n in asked.items() if f"${key}" in sql})
            tx.append(folder)
        tx.publish()
    return path


def answers(where: str | Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what every table of the lake and every view says, as text."""
    found = {}
    with store.open_anywhere(where) as wh:
        names = [table.name for table in catalogue.lake_tables()]
        names += [view.name for view in catalogue.stored_views()]
        for name in [*names, "concepts", "saes", "plms", "sources", "thresholds", "runs"]:
            if name not in without:
                rows = wh.sql(f'from "{name}" order by all').to_pylist()
                found[name] = str(rows)
    assert len(found) > 40
    return found


def texts(where: str | Path) -> str:
    """Return all that a warehouse says, catalogue and lake."""
    said = []
    with store.open_anywhere(where) as wh:
        for table in schema.tables().values():
            if table.storage in ("catalogue", "lake", "sae"):
                try:
                    said.append(str(wh.sql(f'from "{table.name}"').to_pylist()))
                except duckdb.Error as error:
                    assert "left out" in str(error)
    return "\n".join(said)


def tree(root: Path) -> dict[str, str]:
    """Return the checksum of every file below a folder."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nothing of this machine's own settings through."""
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
