"""Processes that work together: they are started, watched, and ended as one."""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.measure.processes import end_with_parent
from benchmarks.schema.files import read_text

__all__ = ["Member", "ProcessEndedError", "answers_of"]


class ProcessEndedError(RuntimeError):
    """A process ended too early; the message says which, how, and what it said last."""


class Member(NamedTuple):
    """A process among those that work together.

    Attributes:
        process_id: its number, from 0.
        n_processes: how many there are.
        address: where process 0 listens for the others.
    """

    process_id: int
    n_processes: int
    address: str


Work = Callable[..., Iterable[Any]]


def answers_of(work: Work, n_processes: int, *arguments: Any) -> Iterator[Any]:
    """What process 0 answers while all processes run ``work(member, *arguments)``.

    The processes do not outlive the iterator. When one ends too early, the others, which may
    wait for it for ever, are ended.

    Args:
        work: a function of a module, which returns answers one by one.
        n_processes: how many processes run it.
        arguments: what it gets beside its :class:`Member`.

    Raises:
        ProcessEndedError: a process ended with another exit code than 0.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    address = _free_address()
    with TemporaryDirectory() as folder:
        logs = [Path(folder, f"{number}.log") for number in range(n_processes)]
        processes = [
            context.Process(
                target=_run,
                args=(work, Member(number, n_processes, address), arguments, log),
                kwargs={"sending": None if number else sending},
            )
            for number, log in enumerate(logs)
        ]
        try:
            for process in processes:
                process.start()
            sending.close()
            yield from _received(receiving, processes, logs)
        finally:
            _end(processes)


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def _received(
    receiving: Connection, processes: Sequence[BaseProcess], logs: Sequence[Path]
) -> Iterator[Any]:
    """The answers, until all processes have ended."""
    running = {process.sentinel: process for process in processes}
    sources: list[Any] = [receiving, *running]
    while sources:
        ready = wait(sources)
        for sentinel in running.keys() & ready:
            running[sentinel].join()  # the exit code comes a moment after the sentinel
            sources.remove(sentinel)
        _require_success(processes, logs)
        if receiving in ready:
            try:
                answer = receiving.recv()
            except EOFError:
                sources.remove(receiving)
            else:
                yield answer


def _require_success(processes: Sequence[BaseProcess], logs: Sequence[Path]) -> None:
    failed = [number for number, process in enumerate(processes) if process.exitcode]
    if not failed:
        return
    # Where one was killed, the others may have ended because of it.
    number = min(failed, key=lambda number: processes[number].exitcode or 0)
    process, said = processes[number], _last_line(read_text(logs[number]))
    raise ProcessEndedError(
        f"process {number} of {len(processes)} (pid {process.pid}) ended with exit code "
        f"{_described(process.exitcode)}, its last line: {said}; "
        "the other processes were ended"
    )


def _last_line(log: str) -> str:
    """The last line of a log; before the stack trace of XLA, its message of several lines."""
    text, fatal, _ = log.partition("*** Check failure stack trace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-4:] if fatal else lines[-1:]) or "it said nothing"


def _described(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return str(exit_code)
    return f"{exit_code} ({signal.Signals(-exit_code).name})"


def _end(processes: Sequence[BaseProcess]) -> None:
    started = [process for process in processes if process.pid]
    for process in started:
        process.kill()
    for process in started:
        process.join()


def _run(
    work: Work, member: Member, arguments: Sequence[Any], log: Path, sending: Connection | None
) -> None:
    """What each process does: process 0 sends its answers, and all of them keep a log."""
    end_with_parent()
    with log.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    for answer in work(member, *arguments):
        if sending:
            sending.send(answer)
