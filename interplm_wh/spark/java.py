"""The Java that Spark runs on: where it is, and whether it is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from interplm_wh.errors import EngineError

MIN_JAVA = 17
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')  # Java 8 called itself 1.8
_REMEDY = f"install Java {MIN_JAVA} (for instance openjdk-{MIN_JAVA}-jre-headless), or let $JAVA_HOME name it"
_WAIT_SECONDS = 30


def require_java() -> Path:
    """Return the program that Spark is going to start: that of ``$JAVA_HOME``, or the one on the path.

    Raises
    ------
    EngineError
        If there is none, or it is older than Spark needs.
    """
    home = os.environ.get("JAVA_HOME")
    found = Path(home) / "bin" / "java" if home else shutil.which("java")
    if found is None:
        raise EngineError(f"Spark needs Java, and there is none on this machine; {_REMEDY}")
    if home and not Path(found).is_file():
        raise EngineError(f"Spark needs Java, and $JAVA_HOME ({home}) has no bin/java; {_REMEDY}")
    version = _version(Path(found))
    if version < MIN_JAVA:
        raise EngineError(f"Spark needs Java {MIN_JAVA} or newer, and {found} is Java {version}; {_REMEDY}")
    return Path(found)


def _version(java: Path) -> int:
    try:
        answer = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, timeout=_WAIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{java} cannot be started ({error}); {_REMEDY}") from error
    match = _VERSION.search(answer.stderr + answer.stdout)
    if answer.returncode or match is None:
        said = (answer.stderr + answer.stdout).strip().partition("\n")[0]
        raise EngineError(f"{java} does not say which Java it is ({said or 'no answer'}); {_REMEDY}")
    return int(match[1])
