"""The card of a published version: what it is, for people who find it."""

from __future__ import annotations

from collections.abc import Iterator

from interplm_wh import docs
from interplm_wh.ask.table import plain_table
from interplm_wh.remote.choose import Chosen
from interplm_wh.remote.manifest import FILES, Version

TABLES = "tables.md"
_SAES = """
select sae, coalesce(plm, '') as plm, coalesce(layer::varchar, '') as layer, architecture,
    n_features::varchar as features, role
from saes
order by sae
"""
_SOURCES = "select source, count(*)::varchar as concepts from concepts group by source order by source"


def tables_page() -> str:
    """Return the meaning of every table and column."""
    return docs.tables_page()


def page(chosen: Chosen, version: Version) -> str:
    """Return the card as Markdown, with the head that the hub reads."""
    return "\n".join(_lines(chosen, version)) + "\n"


def _lines(chosen: Chosen, version: Version) -> Iterator[str]:
    yield from ("---", "tags: [interplm-wh, sparse-autoencoder, protein-language-model]", "---", "")
    yield "# Features of protein language models, as tables"
    yield ""
    yield (
        f"Version {version.name} of a warehouse of interplm-wh {version.package_version}, published "
        f"{version.published}: {version.n_files:,} files, {version.n_bytes / 1e6:,.1f} MB. Versions never "
        f"change; `{version.folder}/{FILES}` has size and SHA-256 of every file."
    )
    yield ""
    yield from ("```sh", "pip install 'interplm-wh[remote]'")
    yield 'interplm-wh -w ADDRESS query "from feature_stats limit 5"    # asks it where it is'
    yield from ("interplm-wh -w FOLDER pull ADDRESS                         # fetches it", "```", "")
    yield from ("## SAEs", "", *_indented(chosen, _SAES), "")
    yield from ("## Concepts", "", *_indented(chosen, _SOURCES), "")
    yield "## What is in it"
    yield ""
    yield (
        f"The tables of [{TABLES}]({version.folder}/{TABLES}): sequences, annotations, features, scores and "
        "examples; weights of the SAEs; structures. Licences of the proteins, annotations and models that "
        "it was made from apply to what is taken from them."
    )
    if chosen.left_out:
        yield from ("", "Left out:", "", *(f"- {what}" for what in chosen.left_out))
    if chosen.n_private:
        yield from ("", f"It holds {chosen.n_private:,} proteins that their owner marked as private.")


def _indented(chosen: Chosen, sql: str) -> Iterator[str]:
    """Yield a table as text that Markdown shows as it is: names are names, not markup."""
    rows = chosen.con.execute(sql)
    head = [column[0] for column in rows.description or ()]
    for line in plain_table(head, [list(row) for row in rows.fetchall()]):
        yield f"    {line}"
