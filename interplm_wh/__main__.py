"""``python -m interplm_wh`` is the command line."""

from interplm_wh.cli import main

main()
