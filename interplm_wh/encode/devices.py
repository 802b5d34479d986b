"""Encoding on several devices of one machine: a process for each, which are handed one block at a time."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from interplm_wh import errors
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.outcome import Beat, Outcome, from_json
from interplm_wh.encode.plan import with_sequences
from interplm_wh.encode.work import TRIES, Work, failed
from interplm_wh.errors import EncodingError, InputError, InterplmError

log = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0
_WORKER = "interplm_wh.encode.worker"


def named(devices: Sequence[str]) -> list[str]:
    """Return devices as PyTorch names them; a number is that of a GPU.

    Raises
    ------
    InputError
        If a name is empty.
    ModelError
        If one does not exist on this machine.
    """
    from interplm_wh.plm.load import choose_device

    if not devices or not all(device.strip() for device in devices):
        raise InputError("--devices: give devices with commas between them, for instance 0,1 or cpu,cpu")
    names = [device.strip() for device in devices]
    return [str(choose_device(f"cuda:{name}" if name.isdecimal() else name)) for name in names]


class _DiedError(Exception):
    """A worker that ended before it had answered."""


@dataclass
class _Worker:
    """One process and its device."""

    job: Job
    environment: Mapping[str, str]
    process: subprocess.Popen[str] | None = None

    def do(self, unit: Unit) -> list[Outcome]:
        """Have one block encoded.

        Raises
        ------
        _DiedError
            If the process ends meanwhile.
        InterplmError
            If no block can be encoded.
        """
        if self.process is None:
            self._start()
        return from_json(self._ask(json.dumps(asdict(unit))))

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(self.environment),
        )
        try:
            self._ask(self.job.to_json())
        except _DiedError as error:
            raise EncodingError(f"the worker on {self.job.settings.device} did not start: {error}") from None

    def _ask(self, line: str) -> str:
        process = self.process
        assert process is not None and process.stdin is not None and process.stdout is not None
        answer = ""
        with suppress(BrokenPipeError):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer.endswith("\n"):
            status = process.wait()
            self.stop()
            ended = f"was killed (signal {-status})" if status < 0 else f"ended with exit code {status}"
            raise _DiedError(f"its process {ended}" + (f", {_KILLED}" if status == -9 else ""))
        told = json.loads(answer)
        if isinstance(told, dict):
            kind = getattr(errors, told["error"], EncodingError)
            raise kind(f"{self.job.settings.device}: {told['message']}")
        return answer

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


_KILLED = "as the system does where memory runs out"


@dataclass
class _Hand:
    """What the threads that feed the workers share."""

    todo: deque[Unit]
    done: queue.Queue[list[Outcome] | tuple[Unit, str] | Exception | None] = field(
        default_factory=queue.Queue
    )
    is_stopped: bool = False

    def feed(self, worker: _Worker) -> None:
        """Give a worker one block after the other; a block in which it dies, three times."""
        try:
            while not self.is_stopped:
                try:
                    unit = self.todo.popleft()
                except IndexError:
                    return
                self.done.put(self._tried(worker, unit))
        except (InterplmError, OSError) as error:
            self.done.put(error)
        finally:
            self.done.put(None)

    def _tried(self, worker: _Worker, unit: Unit) -> list[Outcome] | tuple[Unit, str]:
        reason = ""
        for n_tries in range(1, TRIES + 1):
            try:
                return worker.do(unit)
            except _DiedError as error:
                reason = str(error)
                if self.is_stopped:
                    break
                log.warning("block %d, try %d of %d: %s", unit.block, n_tries, TRIES, reason)
        return unit, reason


def outcomes(work: Work, units: Sequence[Unit], *, devices: Sequence[str]) -> Iterator[Outcome | Beat]:
    """Have blocks encoded by a process per device, and yield what became of them, in any order.

    Parameters
    ----------
    work : Work
        The plan; this process encodes nothing itself.
    units : sequence of Unit
    devices : sequence of str
        As `named` returns them.

    Yields
    ------
    Outcome or Beat
        A beat now and then while nothing is finished.

    Raises
    ------
    InterplmError
        If a worker cannot encode any block.
    """
    hand = _Hand(deque(units))
    workers = [_Worker(work.job.on(device), _environment(devices)) for device in devices[: len(units)]]
    threads = [threading.Thread(target=hand.feed, args=(worker,), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        n_left, n_done = len(threads), 0
        while n_left:
            try:
                told = hand.done.get(timeout=_BEAT_SECONDS)
            except queue.Empty:
                yield Beat()
                continue
            if told is None:
                n_left -= 1
            elif isinstance(told, Exception):
                raise told
            else:
                n_done += 1
                yield from died(work, *told) if isinstance(told, tuple) else told
        if n_done < len(units):
            raise EncodingError("the workers ended before all was encoded; run encode again")
    finally:
        hand.is_stopped = True
        for worker in workers:
            if worker.process is not None:
                worker.process.kill()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.stop()


def _environment(devices: Sequence[str]) -> dict[str, str]:
    """Return the variables of the workers."""
    return dict(os.environ)


def died(work: Work, unit: Unit, reason: str) -> Iterator[Outcome]:
    """Yield what became of a block in which one worker after the other ended."""
    for group, sequences in with_sequences(work.warehouse, work.groups[unit.plm, unit.block]):
        names = tuple(row.sae for row in group.saes)
        failure = failed(names, group, sequences, reason, is_memory=_KILLED in reason)
        yield Outcome(unit.plm, unit.block, group.n_residues, (), failure, "", "")
