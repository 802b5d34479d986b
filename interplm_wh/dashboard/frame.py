"""What every page has around it: the warehouse, the SAE that is looked at, and news of a newer publish."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import polars as pl
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig
from streamlit.navigation.page import StreamlitPage

from interplm_wh.dashboard.reading import Reader

_FRAME = "frame"
EXAMPLES_OF = "examples_of"
"""Of the session: the proteins that the page showed last."""
ACTIVATION_COLUMNS: dict[str, ColumnConfig | str | None] = {
    "activation": st.column_config.ProgressColumn(
        "activation", min_value=0, max_value=1, format="%.3f", color="blue"
    ),
    "n_residues": st.column_config.NumberColumn("residues with it", format="localized"),
    "amino_acid": "amino acid",
}
_LOOK_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Frame:
    """What a page is drawn with.

    Attributes
    ----------
    reader : Reader
    pages : mapping of str to StreamlitPage
        By address.
    sae : dict or None
        The row of the SAE that is looked at; None where none is built.
    """

    reader: Reader
    pages: Mapping[str, StreamlitPage]
    sae: dict[str, Any] | None

    @property
    def sae_name(self) -> str:
        """Name of the SAE, as an argument of a command."""
        return shlex.quote(self.sae["sae"]) if self.sae else "NAME"

    def go(self, address: str, values: Mapping[str, Any]) -> None:
        """Open another page with these values in its address."""
        st.session_state.pop(EXAMPLES_OF, None)
        st.switch_page(self.pages[address], query_params={name: str(v) for name, v in values.items()})


def begin(root: Path, pages: Mapping[str, StreamlitPage]) -> None:
    """Draw what is around the pages; `current` then gives it to the page.

    The SAE is chosen here and not by a page, so that the choice holds from one page to the next.
    """
    reader = Reader(root)
    with st.sidebar:
        st.caption("Warehouse")
        st.markdown(f"**{plain(root.name)}**")
        sae = _choose_sae(reader)
        st.session_state[_FRAME] = Frame(reader, pages, sae)
        _news()
        st.caption("At the upper right corner of each chart and table: full screen, download as PNG or CSV.")


def current() -> Frame:
    """Return the frame of this run."""
    found: Frame = st.session_state[_FRAME]
    return found


def is_dark() -> bool:
    """Whether the page is dark."""
    return st.context.theme.type == "dark"


def picked_row(
    rows: pl.DataFrame,
    *,
    key: str,
    alt: str,
    columns: Mapping[str, Any] = MappingProxyType({}),
    height: int | Literal["auto"] = "auto",
) -> dict[str, Any] | None:
    """Draw a table of which one row can be chosen, and return that row."""
    event = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=alt,
        height=height,
        column_config=dict(columns),
    )
    chosen = event.selection.rows
    # What was chosen may belong to rows that are no longer there.
    return rows.row(chosen[0], named=True) if chosen and chosen[0] < len(rows) else None


def _choose_sae(reader: Reader) -> dict[str, Any] | None:
    by_name = {row["sae"]: row for row in reader.ask("built_saes").to_dicts()}
    if not by_name:
        return None
    name = st.selectbox(
        "SAE",
        list(by_name),
        key="sae",
        bind="query-params",
        help="Sparse autoencoder: it rewrites each residue's hidden state as a few active features.",
    )
    row: dict[str, Any] = by_name[name]
    st.caption(f"{row['architecture']}, layer {row['layer']} of {plain(row['plm'])}")
    return row


def no_sae() -> None:
    """Say that no SAE has results yet."""
    nothing_yet("There is no SAE with results yet.", ["add sae", "encode --sae NAME", "build"])


def nothing_yet(what: str, commands: list[str]) -> None:
    """Say what is missing, and the commands that make it."""
    st.info(what, icon=":material/info:")
    st.markdown("Run in a terminal:")
    command(*commands)


def command(*commands: str) -> None:
    """Show commands for this warehouse, to be copied."""
    name = shlex.quote(current().reader.path.name)
    st.code("\n".join(f"interplm-wh -w {name} {words}" for words in commands), language="sh")


@st.fragment(run_every=_LOOK_EVERY)
def _news() -> None:
    warehouse = current().reader.warehouse
    if warehouse.is_outdated and st.button("There is newer data: load it", icon=":material/refresh:"):
        warehouse.refresh()
        st.rerun()


def plain(text: str) -> str:
    """Return text with what Markdown would read as markup made plain."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|~$:&" else c for c in text)
