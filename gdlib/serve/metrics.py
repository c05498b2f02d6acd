"""What a service tells of itself, in the format of Prometheus; the counts of several workers are added up.

Where the environment variable PROMETHEUS_MULTIPROC_DIR names a folder, as the command sets it for several workers, each
keeps its numbers in a file there, and whichever is asked shows the sum.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64)
PATHS = {"/translate", "/stream", "/health", "/metrics", "/openapi.json", "/"}


class Metrics:
    """Counts and times of one process."""

    def __init__(self):
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry, "namespace": "gdlib"}
        self.requests = Counter("requests", "Requests, by path and status.", ("path", "status"), **own)
        self.seconds = Histogram(
            "request_seconds", "From a request to the end of its answer.", ("path",), buckets=SECONDS, **own
        )
        self.batch = Histogram("batch_size", "Texts translated together.", buckets=SIZES, **own)
        self.waiting = Gauge("waiting", "Requests that wait.", ("path",), multiprocess_mode="livesum", **own)
        self._queues: dict[str, Any] = {}

    def watched(self, answer: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable:
        """The same function, with the sizes of its batches noted."""

        def noted(requests: Sequence[Any]) -> Sequence[Any]:
            self.batch.observe(len(requests))
            return answer(requests)

        return noted

    def watch_queues(self, batcher: Any, slots: Any) -> None:
        """Show how many wait in each."""
        self._queues = {"/translate": batcher, "/stream": slots}

    def _look(self) -> None:
        for path, queue in self._queues.items():
            self.waiting.labels(path).set(queue.waiting)

    def exposition(self) -> tuple[bytes, str]:
        """(what Prometheus reads, its media type)."""
        self._look()
        registry = self.registry
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            for pid in {int(path.stem.rsplit("_", 1)[1]) for path in Path(folder).glob("gauge_live*.db")}:
                if not _alive(pid):
                    multiprocess.mark_process_dead(pid)
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def middleware(self, app: Any, headers: dict[str, str]) -> Callable:
        """An ASGI middleware: it counts and times requests, and adds headers to each answer."""
        added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            path = scope["path"] if scope["path"] in PATHS else "other"
            began, status = time.perf_counter(), "500"

            async def noting(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                    message["headers"] = [*message.get("headers", []), *added]
                await send(message)

            try:
                return await app(scope, receive, noting)
            finally:
                self.requests.labels(path, status).inc()
                self.seconds.labels(path).observe(time.perf_counter() - began)
                self._look()

        return watched


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
