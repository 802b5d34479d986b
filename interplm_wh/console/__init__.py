"""SQL from people who are not trusted, over a published warehouse, in a child process behind locks.

No single lock is enough; each one is there because the others were seen to let something through:

- *A process of its own*, killed at the deadline. Limits inside a process do not hold: an interrupt
  waits for the operator that is running, and single functions pass DuckDB's memory limit.
- *An address-space limit*, so that a text of two billion letters fails there and not on the machine.
- *An empty environment, no inherited files, no home*: neither tokens nor sockets of the server are in it.
- *DuckDB locked*: external access off, but for the folder of Parquet files; no extensions; settings
  fixed. The views are laid with absolute paths before, because they could not be afterwards.
- *One SELECT, looked through*: DuckDB lets ``COPY … TO`` write into a folder that may be read, and
  since version 2 ``with x as (copy … to …) select 1`` is a SELECT by its statement type. So the parsed
  tree may hold nothing but reading nodes, and only table functions from a list.
- *Landlock*, where the kernel has it (Linux): nothing but the published files can be opened, nothing
  but the folder of temporary files written, no network, no program started, whatever DuckDB allows.
- *Bounds* on rows, on bytes, on what is spilled to disk and on threads.

What the locks do not hide: the names of folders. They stand in views and settings that SQL can read.
On macOS the address-space limit has no effect and there is no Landlock: DuckDB's own memory limit,
the deadline and the other locks remain.
"""

from interplm_wh.console.run import Answer, ask

__all__ = ["Answer", "ask"]
