"""A process that encodes the blocks it is given: ``python -m interplm_wh.encode.worker``.

It reads a job as a line of JSON from standard input, then a unit of work per line, and answers each
with a line: a list of outcomes, or ``{"error": …}`` where no block could be encoded.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import IO

from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.outcome import to_json
from interplm_wh.encode.work import open_work
from interplm_wh.errors import InterplmError
from interplm_wh.unexpected import explain

READY = "ready"


def serve(given: IO[str], told: IO[str]) -> None:
    """Answer until there is nothing more to do."""
    try:
        job = Job.from_json(given.readline())
        job.set_threads()
        with open_work(job) as work:
            print(json.dumps(READY), file=told, flush=True)
            for line in given:
                print(to_json(list(work.run([Unit(**json.loads(line))]))), file=told, flush=True)
    except BrokenPipeError:
        pass  # nobody listens any more; what is finished waits for the next run
    except Exception as error:  # noqa: BLE001  # the boundary of the process: whoever started it says it
        print(error_line(error), file=told, flush=True)


def error_line(error: Exception) -> str:
    """Return an error as a line of JSON."""
    words = str(error) if isinstance(error, InterplmError) else explain(error)
    return json.dumps({"error": type(error).__name__, "message": words})


def main() -> None:
    """Keep standard output for answers: whatever a library prints goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it stops it
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "w", encoding="utf-8") as told:
        os.dup2(2, 1)
        serve(sys.stdin, told)


if __name__ == "__main__":
    main()
