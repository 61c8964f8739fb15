"""Replay: requests are sent to a server at a bounded rate, and what comes back is counted.

A failure on the way is a count, never an exception: the client of a rollout must outlive it. The
transport is httptools' parser on asyncio, the same that serves: a general client costs several
times the server's own work for each request, and would measure itself.

An open load: with a rate, requests are due at fixed times (even), or at random ones as of many
independent users (poisson), whether or not earlier ones were answered; when all connections are
busy they start late, and the report says how late.

As the streaming workload: `rate`, `seconds` and `arrivals` say what comes, `--fault` of the server
what goes wrong, and the report gives throughput, percentiles and failures by kind.
"""

import asyncio
import math
import random
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import uvloop

from mlops_pipeline.errors import ServingError
from mlops_pipeline.serving.client import Connection, Reply, Target, target_of

TIMEOUT = 5.0  # seconds for one request
CONNECT_PAUSE = 0.05  # seconds after a connection was refused


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """One request: its id, what the rollout randomises over, and the JSON body."""

    id: str
    unit: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was sent and what came back; sent = answered + refused + failed."""

    sent: int
    answered: int  # 2xx
    refused: int  # 4xx: the request's own fault
    failed: int  # 5xx, time-outs and broken connections
    failures: dict[str, int]  # by kind: http_503, timeout, connect, reset, malformed
    refusals: dict[str, int]  # by kind: http_422, …
    by_version: dict[str, int]  # answered, by the x-served-by header
    seconds: float
    rate: float  # answered requests a second
    p50_ms: float  # of answered requests, from sending to the whole answer; NaN without any
    p90_ms: float
    p99_ms: float
    max_ms: float
    late_ms: float  # the longest that a request started after it was due


@dataclass(slots=True)
class Progress:
    """Counters while a replay runs: one thread writes, any thread may look."""

    sent: int = 0
    answered: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    by_version: Counter[str] = field(default_factory=Counter)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))  # seconds
    late: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def report(self) -> ReplayReport:
        """The counters as they stand."""
        seconds = time.monotonic() - self.started
        ordered = sorted(self.latencies[:])
        return ReplayReport(
            sent=self.sent,
            answered=self.answered,
            refused=self.refusals.total(),
            failed=self.failures.total(),
            failures=dict(self.failures),
            refusals=dict(self.refusals),
            by_version=dict(self.by_version),
            seconds=seconds,
            rate=self.answered / seconds if seconds else 0.0,
            p50_ms=percentile(ordered, 0.5) * 1000,
            p90_ms=percentile(ordered, 0.9) * 1000,
            p99_ms=percentile(ordered, 0.99) * 1000,
            max_ms=percentile(ordered, 1.0) * 1000,
            late_ms=self.late * 1000,
        )


Listener = Callable[[ReplayRequest, Reply], None]
Arrivals = Literal["even", "poisson"]


def replay(
    url: str,
    requests: Iterable[ReplayRequest],
    *,
    rate: float | None = None,
    arrivals: Arrivals = "even",
    seed: int = 0,
    seconds: float | None = None,
    concurrency: int = 8,
    uds: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    listener: Listener | None = None,
) -> ReplayReport:
    """Every request was sent once, `seconds` were over, or `stop` was set; returns what happened.

    Runs an event loop in the calling thread. `rate` is in requests a second; without one, each of
    the `concurrency` connections sends as soon as it is free. `uds` names a unix socket to connect
    to instead of the URL's host. `seed` decides random arrivals. `listener` hears each reply, in
    the same thread.

    Raises:
        ServingError: the URL or a number is unusable. Nothing that a server does raises.
    """
    if rate is not None and not rate > 0:
        raise ServingError(f"rate {rate} is no number of requests a second")
    if concurrency < 1:
        raise ServingError(f"concurrency {concurrency}: at least one connection is needed")
    run = _Run(
        target=target_of(url, uds, headers or {}),
        requests=iter(requests),
        gaps=None if rate is None else gaps(rate, arrivals, seed),
        until=math.inf if seconds is None else time.monotonic() + seconds,
        timeout=timeout,
        stop=stop or threading.Event(),
        progress=progress or Progress(),
        listener=listener,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run.all(concurrency))
    return run.progress.report()


class BackgroundReplay:
    """A replay in a thread of its own; use it in a `with` statement, or start and stop it."""

    def __init__(
        self,
        url: str,
        requests: Iterable[ReplayRequest],
        *,
        rate: float | None = None,
        concurrency: int = 8,
        uds: str | None = None,
        timeout: float = TIMEOUT,
        listener: Listener | None = None,
    ) -> None:
        self.progress = Progress()
        self._stop = threading.Event()
        self._failure: BaseException | None = None

        def run() -> None:
            try:
                replay(
                    url,
                    requests,
                    rate=rate,
                    concurrency=concurrency,
                    uds=uds,
                    timeout=timeout,
                    stop=self._stop,
                    progress=self.progress,
                    listener=listener,
                )
            except BaseException as error:  # told to the thread that waits
                self._failure = error

        self._thread = threading.Thread(target=run, name="replay", daemon=True)

    def start(self) -> None:
        """Requests are being sent."""
        self.progress.started = time.monotonic()
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether requests are still being sent."""
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether everything was sent within that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> ReplayReport:
        """No further request starts, those on the way have ended; the report.

        Raises:
            the exception that `replay` or the listener raised, if one did.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self.progress.report()

    def __enter__(self) -> "BackgroundReplay":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass(slots=True)
class _Run:
    target: Target
    requests: Iterator[ReplayRequest]
    gaps: Iterator[float] | None  # seconds from one request to the next
    until: float  # monotonic time after which none starts
    timeout: float
    stop: threading.Event
    progress: Progress
    listener: Listener | None
    due: float = 0.0

    async def all(self, concurrency: int) -> None:
        self.due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        connection = Connection(self.target, self.timeout)
        try:
            while await self._turn():
                request = next(self.requests, None)
                if request is None:
                    break
                reply = await self._ask(connection, request)
                self._count(request, reply)
                if reply.failure == "connect":  # nobody is there: do not spin
                    await asyncio.sleep(CONNECT_PAUSE)
        finally:
            connection.close()

    async def _turn(self) -> bool:
        """True when this connection's next request is due; False when there is to be none."""
        if self.gaps is not None:
            mine = self.due
            if mine >= self.until:
                return False
            self.due += next(self.gaps)
            while (wait := mine - time.monotonic()) > 0 and not self.stop.is_set():
                await asyncio.sleep(min(wait, 0.1))
            self.progress.late = max(self.progress.late, -wait)
        return not self.stop.is_set() and time.monotonic() < self.until

    async def _ask(self, connection: Connection, request: ReplayRequest) -> Reply:
        self.progress.sent += 1
        return await connection.ask(
            request.body, {"x-request-id": request.id, "x-unit": request.unit}
        )

    def _count(self, request: ReplayRequest, reply: Reply) -> None:
        progress = self.progress
        if reply.failure is not None:
            progress.failures[reply.failure] += 1
        elif reply.status >= 500:
            progress.failures[f"http_{reply.status}"] += 1
        elif reply.status >= 300:
            progress.refusals[f"http_{reply.status}"] += 1
        else:
            progress.answered += 1
            progress.by_version[reply.headers.get("x-served-by", "unknown")] += 1
            progress.latencies.append(reply.seconds)
        if self.listener is not None:
            self.listener(request, reply)


def gaps(rate: float, arrivals: Arrivals, seed: int) -> Iterator[float]:
    """Seconds from each request to the next: all equal, or as of many independent users."""
    chance = random.Random(seed)
    while True:
        yield 1 / rate if arrivals == "even" else chance.expovariate(rate)


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that at least `share` of the ordered values do not exceed; else NaN."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
