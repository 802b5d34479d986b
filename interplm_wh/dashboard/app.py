"""The pages and what they share; run by Streamlit, see `serve`."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

from interplm_wh.dashboard import frame
from interplm_wh.dashboard.views import (
    compare,
    concept,
    feature,
    overview,
    protein,
    sequence,
    sql,
    steering,
    suggestions,
    variants,
)
from interplm_wh.errors import InterplmError

PAGES = (
    overview, feature, concept, suggestions, steering, protein, variants, sequence, compare, sql,
)  # fmt: skip


def main(root: Path) -> None:
    """Draw the frame, then the page that the address names."""
    st.set_page_config(page_title=f"{root.name} · interplm-wh", page_icon="🧬", layout="wide")
    pages = [
        st.Page(
            Path(page.__file__ or ""),
            title=page.TITLE,
            url_path=page.ADDRESS,
            icon=page.ICON,
            default=page is overview,
        )
        for page in PAGES
    ]
    chosen = st.navigation(pages, position="top")
    try:
        frame.begin(root, {page.url_path: page for page in pages})
        chosen.run()
    except InterplmError as error:  # the warehouse is gone, locked, or of another version
        st.error(frame.plain_lines(str(error)))


main(Path(sys.argv[1]))
