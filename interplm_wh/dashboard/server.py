"""The process that serves the pages: ``python -m interplm_wh.dashboard.server PARENT run APP …``.

What follows the process id of the parent is Streamlit's own command line.
"""

from __future__ import annotations

import sys

from streamlit.web.cli import main

from interplm_wh.console.limits import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv.pop(1)))
    main(prog_name="streamlit")
