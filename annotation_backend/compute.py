"""Compute over cases: one function over many items, here, on this machine's cores, or on a Dask cluster.

The function runs elsewhere, perhaps twice (a worker that dies loses what it had, and Dask gives it to another). So it
touches no database: it writes into a folder of its own and returns a small record. The process that asked is the only
one that stores anything. A Dask scheduler runs any code that anybody sends who reaches it: see decision 9.
"""

import errno
import ipaddress
import logging
import os
import queue
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from django.conf import settings

from datasets.errors import MaskloopError, RejectedInput, TryAgain
from datasets.finding import Finding, Level
from datasets.progress import Progress

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKER_MEMORY_BYTES = 3_000_000_000
"""A local worker that needs more is ended, and its case becomes a finding after two attempts."""

WORKER_WAIT_SECONDS = 30.0
"""How long a scheduler may be without any worker before a run gives up; finished items stay done."""

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer."""

ONE_THREAD_EACH = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}
"""Environment of a worker: cases run side by side, so each runs in one thread."""

_QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}
"""Silences what a worker of this machine would log of an interrupted run; each item's outcome tells all."""

_OUR_PACKAGES = ("annotation_backend", "curation", "training", "datasets")
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """Result or failure of one item.

    Args:
        item: As it was given.
        result: What the function returned; None where it failed.
        finding: Why it failed, without a subject; None where it did not.
    """

    item: Item
    result: Result | None = None
    finding: Finding | None = None

    def finding_about(self, subject: str) -> Finding:
        """The finding, with its subject."""
        if self.finding is None:
            raise ValueError("It went well; there is no finding.")
        return replace(self.finding, subject=subject)


def each_done(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    key: Callable[[Item], str],
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Outcome[Item, Result]]:
    """Calls a function for every item and gives each outcome as soon as it is there, in any order.

    An item that fails never stops the others: refused input and program errors become findings, an item whose worker
    died goes to another worker, and one that keeps killing its workers becomes the finding ``worker-lost``.

    Args:
        function: Of a module, so that a worker can import it; touches no database and is safe to run twice.
        items: Small values that can be sent: paths and settings, no images.
        key: A short name for each item, different for each; patients' names have no place in it.
        workers: Processes on this machine, 0 or 1 for this one; None for `DASK_SCHEDULER`, or else `MASKLOOP_WORKERS`.
        scheduler: Address of a Dask cluster, instead of all that.
        progress: Called with (done, all) after each outcome was dealt with.

    Raises:
        RejectedInput: The scheduler's address is open to others (``scheduler-open``), or its workers lack Maskloop or
            the data folder (``workers-unfit``).
        TryAgain: The scheduler does not answer or is gone (``scheduler-silent``), or has no workers (``no-workers``).
    """
    items = list(items)
    show = progress or (lambda _done, _all: None)
    show(0, len(items))
    for done, outcome in enumerate(_outcomes(function, items, key=key, workers=workers, scheduler=scheduler), start=1):
        yield outcome
        show(done, len(items))


def default_workers() -> int:
    """As many workers as cores and memory allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores, memory // WORKER_MEMORY_BYTES))


def checked_scheduler(address: str) -> str:
    """A scheduler's address, after it was found to be closed to others.

    Raises:
        RejectedInput: It is neither on this machine nor behind TLS, and no setting allows that.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    is_closed = parts.scheme in ("tls", "wss") or (parts.scheme == "tcp" and _is_loopback(parts.hostname or ""))
    if is_closed or (parts.scheme in ("tcp", "ws") and settings.ALLOW_PLAIN_DASK):
        return parts.geturl()
    raise RejectedInput(
        "scheduler-open",
        "DASK_SCHEDULER is neither on this machine nor behind TLS: anybody who reaches it could run code there.",
        remedy="Use tls:// (docs/guides/operator.md), or set MASKLOOP_ALLOW_PLAIN_DASK=true in a network "
        "that you trust.",
    )


def attempt(function: Callable[[Item], Result], item: Item) -> tuple[Result | None, Finding | None]:
    """Calls a function; an exception comes back as a finding, because not every exception survives pickling."""
    try:
        return function(item), None
    except MaskloopError as error:
        return None, Finding(Level.ERROR, error.code, error.message, error.remedy)
    except Exception as error:
        return None, _unexpected(error)


def _outcomes(
    function: Callable[[Item], Result],
    items: list[Item],
    *,
    key: Callable[[Item], str],
    workers: int | None,
    scheduler: str | None,
) -> Iterator[Outcome[Item, Result]]:
    if not items:
        return
    address = scheduler or (settings.DASK_SCHEDULER if workers is None else "")
    count = min(settings.WORKERS or default_workers() if workers is None else workers, len(items))
    if not address and count <= 1:
        for item in items:
            yield Outcome(item, *attempt(function, item))
        return
    with _connected(address, count) as client:
        lost: list[Item] = []
        yield from _gather(client, function, items, key=key, lost=lost)
        for item in lost:
            yield from _gather(client, function, [item], key=key, lost=None)


def _gather(
    client: "Client",
    function: Callable[[Item], Result],
    items: list[Item],
    *,
    key: Callable[[Item], str],
    lost: list[Item] | None,
) -> Iterator[Outcome[Item, Result]]:
    """Outcomes as they come. Items whose workers died go into `lost`: perhaps a neighbour's fault, so each gets one
    more chance by itself; where `lost` is None they had it.
    """
    group = f"{getattr(function, '__name__', 'work')}-{secrets.token_hex(8)}"
    futures = client.map(partial(attempt, function), items, key=[(group, key(item)) for item in items], pure=False)
    waiting = dict(zip((future.key for future in futures), items, strict=True))
    done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(done.put)
    del futures
    try:
        while waiting:
            future = _next(client, done)
            try:
                result, finding = _answer(future)
            except _LostAgain:
                future.add_done_callback(done.put)
                continue
            item = waiting.pop(future.key)
            if finding is not None and finding.code == "worker-lost" and lost is not None:
                lost.append(item)
            else:
                yield Outcome(item, result, finding)
            del future
    finally:
        if waiting and client.status == "running":
            client.cancel([client.futures[name] for name in waiting if name in client.futures])


def _next(client: "Client", done: "queue.SimpleQueue[Future[Any]]") -> "Future[Any]":
    """The next future that is done, while there are workers."""
    alone = 0.0
    while True:
        try:
            return done.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if client.status != "running":
                raise _silent() from None
            alone = 0.0 if client.scheduler_info()["workers"] else alone + _POLL_SECONDS
            if alone >= WORKER_WAIT_SECONDS:
                raise _no_workers() from None


class _LostAgain(Exception):
    """A worker died between finishing an item and handing over the result; the scheduler has it done again."""


def _answer(future: "Future[Any]") -> tuple[Any, Finding | None]:
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    if future.status == "pending":
        raise _LostAgain
    try:
        answer: tuple[Any, Finding | None] = future.result(timeout=WORKER_WAIT_SECONDS)
    except TimeoutError as error:
        raise _LostAgain from error
    except FutureCancelledError as error:
        raise _silent() from error
    except KilledWorker:
        message = "Workers died of this item: too little memory, or a fault in native code."
        return None, Finding(Level.ERROR, "worker-lost", message, "Give workers more memory, or leave this one out.")
    except Exception as error:
        return None, _unexpected(error)
    return answer


@contextmanager
def _connected(address: str, count: int) -> Iterator["Client"]:
    """A client of the scheduler at `address`, or of a cluster of `count` processes that ends with the run."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.ERROR)  # its import set it to INFO; what matters is a finding
    with ExitStack() as stack:
        if address:
            try:
                there = checked_scheduler(address)
                client = stack.enter_context(Client(there, set_as_default=False, timeout=CONNECT_SECONDS))
            except (OSError, TimeoutError) as error:
                raise _silent() from error
            _require_fit(client)
        else:
            client = stack.enter_context(Client(stack.enter_context(local_cluster(count)), set_as_default=False))
        yield client


@contextmanager
def local_cluster(count: int) -> Iterator[Any]:
    """Worker processes of this machine, closed to its other users by TLS with keys that live as long as the run.

    Args:
        count: How many, with one thread each.

    Returns:
        A context with `distributed.LocalCluster`; its end ends the processes.
    """
    import dask
    from distributed import LocalCluster

    scratch = settings.DATA_FOLDER / "scratch"
    own = {
        "distributed.nanny.pre-spawn-environ": {**ONE_THREAD_EACH, **_QUIET},
        "distributed.scheduler.allowed-failures": 1,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "temporary-directory": str(scratch),
    }
    with dask.config.set(own), ExitStack() as stack:
        with _interrupts_wait():
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                host="127.0.0.1",
                security=True,
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                memory_limit=WORKER_MEMORY_BYTES,
            )
            stack.enter_context(cluster)
        yield cluster


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C waits until the block ends, and never reaches the processes that are started in it, nor their successors.

    A terminal sends it to all processes at once; only this one ends the others in good order. The thread that starts
    workers is made in the block and so inherits what is held back, as they do from it.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # whose own start would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _require_fit(client: "Client") -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_WAIT_SECONDS)
    except TimeoutError as error:
        raise _no_workers() from error
    answers = client.run(os.path.isdir, str(settings.DATA_FOLDER), on_error="return")
    versions = client.run(_has_maskloop, on_error="return")
    unfit = [name for name in answers if answers[name] is False or isinstance(versions.get(name), ImportError)]
    if unfit:
        raise RejectedInput(
            "workers-unfit",
            f"{len(unfit)} of {len(answers)} workers lack Maskloop or the data folder.",
            remedy="Start workers in Maskloop's environment, with the data folder at the same place.",
        )


def _has_maskloop() -> bool:
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unexpected(error: BaseException | None) -> Finding:
    """A finding with the exception's kind and place, without its own words, which may hold a path or a name."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        kind += f" ({errno.errorcode.get(error.errno, error.errno)})"
    place, traceback = "", error.__traceback__ if error is not None else None
    while traceback is not None:
        name = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] in _OUR_PACKAGES and name != __name__:
            place = f" in {name}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    message = f"The work broke off: {kind}{place}."
    return Finding(Level.ERROR, "work-failed", message, "Try again; if it stays, report it with this line.")


def _silent() -> TryAgain:
    return TryAgain(
        "scheduler-silent",
        "The Dask scheduler at DASK_SCHEDULER does not answer.",
        remedy="Start it, or unset DASK_SCHEDULER; run the command again, it goes on where it was.",
    )


def _no_workers() -> TryAgain:
    return TryAgain(
        "no-workers",
        "The Dask scheduler has no workers.",
        remedy="Start some with `dask worker`; run the command again, it goes on where it was.",
    )
