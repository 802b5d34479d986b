"""Encoding on several devices of one machine: a process for each, which are handed one block at a time."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from interplm_wh import errors
from interplm_wh.encode.job import Job, Unit
from interplm_wh.encode.outcome import HOPELESS, Beat, GaveUp, Outcome, Patience, from_json
from interplm_wh.encode.plan import with_sequences
from interplm_wh.encode.work import TRIES, Work, failed
from interplm_wh.errors import EncodingError, InputError

log = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0
_JOIN_SECONDS = 0.1
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
        outcomes = from_json(self._ask(json.dumps(asdict(unit))))
        if any(one.failure is not None and not one.failure.is_memory for one in outcomes):
            self.stop()  # a GPU that failed once fails in this process until it ends
        return outcomes

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # a key that stops this process stops the worker by way of it
        )
        self._ask(self.job.to_json())

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

    def kill(self) -> None:
        """Let the process end, whatever it is doing; another thread may wait for it."""
        process = self.process
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


_KILLED = "as the system does where memory runs out"


@dataclass
class _Hand:
    """What the threads that feed the workers share.

    A block in which a worker dies is given to whichever is free at the end, three times in all; a worker
    that dies again and again, or fails with one block after the other, gets no more: the rest goes on.
    """

    todo: deque[Unit]
    done: queue.Queue[list[Outcome] | tuple[Unit, str] | Exception | None] = field(
        default_factory=queue.Queue
    )
    is_stopped: bool = False
    _n_out: int = 0
    _n_deaths: dict[Unit, int] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def feed(self, worker: _Worker) -> None:
        """Give a worker one block after the other."""
        patience, n_deaths = Patience(), 0
        try:
            while n_deaths < HOPELESS * TRIES and (unit := self._next()) is not None:
                try:
                    found = worker.do(unit)
                except _DiedError as error:
                    n_deaths += 1
                    self._died(worker, unit, str(error))
                    continue
                self._back()
                self.done.put(found)
                if any([patience.is_over(outcome) for outcome in found]):
                    log.warning("%s: gets no more blocks", worker.job.settings.device)
                    break
                n_deaths = 0
        except Exception as error:  # noqa: BLE001  # raised again by whoever waits for this thread
            self.done.put(error)
        finally:
            self.done.put(None)

    def _next(self) -> Unit | None:
        """Take a block; None where there is none left, and none that another worker may give back."""
        with self._changed:
            while not self.todo and self._n_out and not self.is_stopped:
                self._changed.wait(_BEAT_SECONDS)
            if self.is_stopped or not self.todo:
                return None
            self._n_out += 1
            return self.todo.popleft()

    def _back(self, *units: Unit) -> None:
        with self._changed:
            self._n_out -= 1
            self.todo.extend(units)
            self._changed.notify_all()

    def _died(self, worker: _Worker, unit: Unit, reason: str) -> None:
        """Give a block back, or report it where workers have died of it three times."""
        device = worker.job.settings.device
        n_tries = self._n_deaths[unit] = self._n_deaths.get(unit, 0) + 1
        if not self.is_stopped:
            log.warning("%s: block %d, try %d of %d: %s", device, unit.block, n_tries, TRIES, reason)
        if n_tries < TRIES:
            self._back(unit)
        else:
            self._back()
            self.done.put((unit, reason))


def outcomes(
    work: Work, units: Sequence[Unit], *, devices: Sequence[str]
) -> Iterator[Outcome | Beat | GaveUp]:
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
    Outcome, Beat or GaveUp
        A beat now and then while nothing is finished.

    Raises
    ------
    InterplmError
        If a worker cannot encode any block.
    """
    hand, job = _Hand(deque(units)), work.job.with_threads()
    workers = [_Worker(job.on(device)) for device in devices[: len(units)]]
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
            yield GaveUp()
    finally:
        hand.is_stopped = True
        for thread in threads:
            while thread.is_alive():
                for worker in workers:
                    worker.kill()
                thread.join(_JOIN_SECONDS)
        for worker in workers:
            worker.stop()


def died(work: Work, unit: Unit, reason: str) -> Iterator[Outcome]:
    """Yield what became of a block in which one worker after the other ended."""
    for group, sequences in with_sequences(work.warehouse, work.groups[unit.plm, unit.block]):
        failure = failed(tuple(row.sae for row in group.saes), group, sequences, reason)
        yield Outcome(unit.plm, unit.block, group.n_residues, (), failure, "", "")
