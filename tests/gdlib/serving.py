"""A small translator, and services of it for tests: in a thread, and as a process of their own."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import jax
import uvicorn
from flax import nnx

from gdlib import serve
from gdlib.data import tokens
from gdlib.models import transformer
from gdlib.serve import app

SOURCES = tokens.Vocabulary(["0123456789 .,abcdefghijklmnopqrstuvwxyzäM"])
TARGETS = tokens.Vocabulary(["0123456789-"])
TEXTS = [
    f"{day}. {month} 20{year}" for day in (1, 17) for month in ("mai", "april", "märz") for year in (10, 19)
]


def small(**shapes):
    """A translator with random weights: what it writes is nonsense, and always the same."""
    model = transformer.Translator(
        len(SOURCES), len(TARGETS), longest=38, width=8, heads=2, blocks=1, hidden=8, rngs=nnx.Rngs(0)
    )
    nnx.update(model, jax.tree.map(lambda weights: 4 * weights, nnx.state(model)))  # answers that differ
    shapes = {"batches": (1, 4), "lengths": (38,)} | shapes
    return serve.DateTranslator(model, SOURCES, TARGETS, **shapes)


class Instead(serve.DateTranslator):
    """The same, with another function in the place of the answers."""

    def __init__(self, instead):
        self.__dict__.update(small().__dict__)
        self.instead = instead

    def __call__(self, rows):
        return self.instead(rows)


@contextlib.contextmanager
def running(made):
    """The port of an app that is served from a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(made, log_level="critical", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started, 60)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@contextlib.contextmanager
def started(folder, *options):
    """(process, port) of the command, once it answers. It is gone afterwards."""
    command = [sys.executable, "-m", "gdlib.serve", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        port = int(re.search(r":(\d+) ", process.stdout.readline())[1])
        until(lambda: answers(port), 240)
        yield process, port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


def answers(port):
    try:
        return ask(port, "/health", method="GET")[0] == 200
    except OSError:
        return False


def ask(port, path="/translate", body=None, *, method="POST", kind="application/json", headers=()):
    """(status, JSON or text, headers)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        if isinstance(body, dict):
            body = json.dumps(body)
        given = ({"Content-Type": kind} if kind else {}) | dict(headers)
        connection.request(method, path, body, given)
        response = connection.getresponse()
        text = response.read().decode()
        is_json = response.headers["content-type"] == "application/json"
        return response.status, json.loads(text) if is_json else text, dict(response.getheaders())
    finally:
        connection.close()


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def metric(port, name):
    """The value of one line of /metrics, 0 where it is not there."""
    lines = dict(
        line.rsplit(" ", 1) for line in ask(port, "/metrics", method="GET")[1].splitlines() if line[:1] != "#"
    )
    return float(lines.get(f"gdlib_{name}", 0))


def create(translator, **sizes):
    return app.create(translator, **({"limit": translator.limit, "slots": 2} | sizes))
