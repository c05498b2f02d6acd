"""The service as its users meet it: over HTTP, with all that they can do wrong, and all that can happen."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jsonschema_rs
import numpy as np
import pytest
import schemathesis
from hypothesis import given, settings
from serving import TEXTS, Instead, answers, ask, create, metric, running, small, started, until

from gdlib.serve import load

pytestmark = pytest.mark.once  # HTTP, signals and processes: no version of JAX has a part in them

TRANSLATOR = small()
HEAD = b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
ALONE = {text: TRANSLATOR([TRANSLATOR.row(text)])[0] for text in TEXTS}


@pytest.fixture(scope="module")
def port():
    with running(create(small())) as port:
        yield port


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_is_the_same_as_offline(port, text):
    status, answer, headers = ask(port, body={"text": text})
    assert status == 200
    assert answer == {"date": ALONE[text], "valid": False}
    assert "default-src 'self'" in headers["content-security-policy"]


def test_answers_in_a_crowd_are_the_same_as_offline(port):
    due = np.zeros(200)
    found = asyncio.run(load.send(f"http://127.0.0.1:{port}/translate", [{"text": t} for t in TEXTS], due))
    assert (found.status == 200).all()
    assert [reply["date"] for reply in found.replies] == [ALONE[TEXTS[i % len(TEXTS)]] for i in range(200)]
    sizes = metric(port, "batch_size_sum") / metric(port, "batch_size_count")
    assert sizes > 1.5  # they went along with each other


def events(text):
    for event in text.strip().split("\n\n"):
        kind, data = event.split("\n")
        yield kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_stream_is_the_same_character_by_character(port):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda text: ask(port, "/stream", {"text": text}), TEXTS)
        for text, (status, answer, headers) in zip(TEXTS, found, strict=True):
            *pieces, (last, whole) = events(answer)
            assert status == 200
            assert headers["content-type"].startswith("text/event-stream")
            assert {kind for kind, _ in pieces} == {"piece"}
            assert "".join(data["piece"] for _, data in pieces) == ALONE[text]
            assert (last, whole) == ("date", {"date": ALONE[text], "valid": False})


WRONG = {
    "no JSON": (b"{", "application/json", 400, "expected JSON"),
    "no UTF-8": (b'{"text": "\xff"}', "application/json", 400, "expected JSON"),
    "nothing": (b"", "application/json", 400, "expected JSON"),
    "deeper than a parser goes": (2000 * b"[", "application/json", 400, "expected JSON"),
    "a form": (
        b"text=3",
        "application/x-www-form-urlencoded",
        415,
        "expected the content type application/json",
    ),
    "of no kind": (b'{"text": "3. mai 2019"}', "", 415, "expected the content type"),
    "a list": (b"[]", "application/json", 422, 'one name, "text", got a list'),
    "another name": (b'{"date": "1"}', "application/json", 422, r"got the names \['date'\]"),
    "one name more": (b'{"text": "1", "more": 1}', "application/json", 422, "got the names"),
    "a number": (b'{"text": 3}', "application/json", 422, "text: expected a text, got"),
    "empty": (b'{"text": "  "}', "application/json", 422, "without a letter"),
    "too long": (b'{"text": "%s"}' % (39 * b"a"), "application/json", 422, "at most 38 characters, got 39"),
    "unknown letters": ('{"text": "3. 五月"}'.encode(), "application/json", 422, "got '五' '月'"),
    "half a character": (
        b'{"text": "\\ud800"}',
        "application/json",
        422,
        "letters that the model has learned",
    ),
    "too large": (b'{"text": "%s"}' % (5000 * b" "), "application/json", 413, "at most 4096 bytes"),
}


@pytest.mark.parametrize("path", ["/translate", "/stream"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(port, path, wrong):
    body, kind, expected, sentence = WRONG[wrong]
    status, answer, _ = ask(port, path, body, kind=kind)
    assert status == expected
    assert set(answer) == {"error"}
    assert "Traceback" not in answer["error"]
    assert sentence.replace("\\", "") in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/translate", 405),
        ("DELETE", "/stream", 405),
        ("GET", "/nothing", 404),
        ("GET", "/page/../app.py", 404),
    ],
)
def test_what_is_not_there(port, method, path, status):
    found, answer, _ = ask(port, path, method=method)
    assert found == status
    assert set(answer) == {"error"}


def test_a_body_that_never_ends_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        slow.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(6):
            slow.sendall(b"3e8\r\n" + 1000 * b" " + b"\r\n")
        assert b" 413 " in slow.recv(100)


def test_a_slow_body_is_not_waited_for(port, monkeypatch):
    monkeypatch.setattr("gdlib.serve.app.BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(
            b"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        assert b" 408 " in slow.recv(100)
    assert ask(port, body={"text": TEXTS[0]})[0] == 200


def test_health_metrics_page_and_description_are_there(port):
    assert ask(port, "/health", method="GET")[:2] == (200, {"status": "ready"})
    status, page, headers = ask(port, "/", method="GET")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    for name in ("page/page.css", "page/page.js"):
        assert f'"{name}"' in page
        assert ask(port, f"/{name}", method="GET")[0] == 200
    assert "http" not in page.replace("https://www.w3.org", "")  # nothing from elsewhere
    before = metric(port, 'requests_total{path="/translate",status="200"}')
    ask(port, body={"text": TEXTS[0]})
    assert metric(port, 'requests_total{path="/translate",status="200"}') == before + 1
    assert metric(port, 'waiting{path="/translate"}') == 0


def test_paths_that_strangers_make_up_do_not_fill_the_metrics(port):
    for n in range(20):
        ask(port, f"/made-up/{n}", method="GET")
    assert "made-up" not in ask(port, "/metrics", method="GET")[1]


@pytest.fixture(scope="module")
def description(port):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


def test_the_description_is_valid_openapi(port):
    found = ask(port, "/openapi.json", method="GET")[1]
    assert found["openapi"] == "3.1.0"
    for schema in found["components"]["schemas"].values():
        jsonschema_rs.validator_for(schema | {"components": found["components"]})
    assert set(found["paths"]) == {"/translate", "/stream", "/health", "/metrics", "/openapi.json"}


@pytest.mark.parametrize(
    ("path", "method"), [("/translate", "POST"), ("/stream", "POST"), ("/health", "GET"), ("/metrics", "GET")]
)
def test_the_service_does_what_its_description_says(description, path, method):
    @settings(max_examples=60, deadline=None, database=None)
    @given(case=description[path][method].as_strategy())
    def one(case):
        case.call_and_validate(timeout=20)

    one()


class Gate:
    """Answers that wait until they are let go."""

    def __init__(self):
        self.opened, self.rows = threading.Event(), 0

    def __call__(self, rows):
        self.rows += len(rows)
        assert self.opened.wait(30)
        return ["2019-05-03"] * len(rows)


def in_threads(pool, port, count):
    return [pool.submit(ask, port, body={"text": TEXTS[0]}) for _ in range(count)]


def test_a_full_queue_refuses_and_says_when_to_come_again():
    gate = Gate()
    with (
        running(create(Instead(gate), limit=1, room=2)) as port,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        first = in_threads(pool, port, 1)
        until(lambda: gate.rows == 1, 20)
        waiting = in_threads(pool, port, 2)
        until(lambda: metric(port, 'waiting{path="/translate"}') == 2, 20)
        status, answer, headers = ask(port, body={"text": TEXTS[0]})
        assert status == 503
        assert int(headers["retry-after"]) >= 1
        assert "2 requests wait already" in answer["error"]
        gate.opened.set()
        assert [one.result()[0] for one in first + waiting] == [200, 200, 200]


def test_who_waits_too_long_is_told_so():
    gate = Gate()
    made = create(Instead(gate), limit=1, patience=0.1)
    with running(made) as port, concurrent.futures.ThreadPoolExecutor(8) as pool:
        first = in_threads(pool, port, 1)
        until(lambda: gate.rows == 1, 20)
        late = in_threads(pool, port, 1)
        until(lambda: metric(port, 'waiting{path="/translate"}') == 1, 20)
        time.sleep(0.2)
        gate.opened.set()
        assert first[0].result()[0] == 200
        assert late[0].result()[:2] == (504, {"error": "not begun within 0.1 s"})


def test_nothing_is_computed_for_who_went_away():
    gate = Gate()
    with running(create(Instead(gate), limit=1)) as port, concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = in_threads(pool, port, 1)
        until(lambda: gate.rows == 1, 20)
        with socket.create_connection(("127.0.0.1", port)) as gone:
            body = json.dumps({"text": TEXTS[0]}).encode()
            gone.sendall(HEAD % len(body) + body)
            until(lambda: metric(port, 'waiting{path="/translate"}') == 1, 20)
        until(lambda: metric(port, 'requests_total{path="/translate",status="499"}') == 1, 20)
        gate.opened.set()
        assert first[0].result()[0] == 200
        assert ask(port, body={"text": TEXTS[1]})[0] == 200
        assert gate.rows == 2  # and not 3


def test_a_poison_request_harms_no_other():
    poison = TRANSLATOR.row(TEXTS[3])

    def poisoned(rows):
        time.sleep(0.05)  # so that others come along
        if poison in rows:
            raise ArithmeticError("a secret of the house")
        return TRANSLATOR(rows)

    with running(create(Instead(poisoned))) as port, concurrent.futures.ThreadPoolExecutor(12) as pool:
        found = dict(zip(TEXTS, pool.map(lambda text: ask(port, body={"text": text}), TEXTS), strict=True))
        status, answer, headers = found.pop(TEXTS[3])
        assert headers["x-content-type-options"] == "nosniff"
        assert (status, answer) == (500, {"error": "the service failed, and its log says why"})
        assert {text: reply["date"] for text, (_, reply, _) in found.items()} == {t: ALONE[t] for t in found}


def test_the_end_answers_what_was_taken():
    gate, found = Gate(), []
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        with running(create(Instead(gate), limit=2)) as port:
            found = in_threads(pool, port, 6)
            until(lambda: gate.rows + metric(port, 'waiting{path="/translate"}') == 6, 20)
            threading.Timer(0.3, gate.opened.set).start()
        assert [one.result()[0] for one in found] == [200] * 6


def test_a_service_too_large_for_its_translator():
    with pytest.raises(ValueError, match="limit: expected at most the translator's 4, got 8"):
        create(small(), limit=8)


def many_files():
    """As many open files as this process, and those that it starts, may have."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def rss(pid):
    """MiB of memory that a process holds."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


async def crowd(url, count, seconds):
    """Statuses of `count` connections, each of which asks again and again for so long."""
    host, port = "127.0.0.1", int(url.rsplit(":", 1)[1])
    body = json.dumps({"text": "3. Mai 2019"}).encode()
    end, statuses = time.monotonic() + seconds, []

    async def one():
        reader, writer = await asyncio.open_connection(host, port)
        while time.monotonic() < end:
            writer.write(HEAD % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in answer.split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            statuses.append(int(answer.split()[1]))
            await asyncio.sleep(0.5)
        writer.close()

    await asyncio.gather(*(one() for _ in range(count)))
    return statuses


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_thousand_connections_for_a_minute_and_memory_stays(trained):
    many_files()
    with started(trained, "--room", "2000", "--patience", "60") as (process, port):
        url = f"http://127.0.0.1:{port}"
        asyncio.run(crowd(url, 1000, 5))
        before = rss(process.pid)
        statuses = asyncio.run(crowd(url, 1000, 60))
        assert set(statuses) == {200}
        assert len(statuses) > 10_000
        assert rss(process.pid) < before + 50
        # SIGTERM: it ends, and well.
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert not answers(port)


def test_two_workers_one_killed_and_an_end_in_the_middle_of_work(trained):
    with started(trained, "--workers", "2") as (process, port):
        listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        children = [int(pid) for pid in listed.stdout.split()]
        workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        time.sleep(1)
        assert [ask(port, body={"text": "3. Mai 2019"})[0] for _ in range(20)] == [200] * 20
        assert metric(port, 'requests_total{path="/translate",status="200"}') >= 20
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = in_threads(pool, port, 8)
            process.terminate()
            for one in found:  # answered, or never taken
                with contextlib.suppress(OSError):
                    assert one.result()[0] in (200, 503)
        process.wait(240)  # the new worker may be compiling still


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--limit", "65"), "limit: expected at most"),
        (("--slots", "0"), "slots: expected"),
        ((), "cannot be read"),
    ],
)
def test_the_command_names_what_is_wrong(tmp_path, trained, options, sentence):
    (tmp_path / "card.json").write_text("{}")
    command = [sys.executable, "-m", "gdlib.serve", str(trained if options else tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_gdlib_needs_nothing_of_the_service():
    code = (
        "import sys\n"
        "for name in ('starlette', 'uvicorn', 'httptools', 'prometheus_client', 'uvloop'): sys.modules[name] = None\n"
        "import gdlib, gdlib.serve\n"
        "print(gdlib.serve.Batcher)\n"
        "try: gdlib.serve.require()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert "Batcher" in done.stdout, done.stderr
    assert 'starlette, uvicorn, httptools, prometheus_client: pip install "gdlib[service]"' in done.stdout
