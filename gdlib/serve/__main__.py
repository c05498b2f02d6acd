"""python -m gdlib.serve [folder]: the translator of dates on an address of this machine.

Where the folder holds no translator, one is trained first. Who wants to be reached by strangers puts a proxy before it,
which ends what is too slow and says who may ask.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import gdlib
from gdlib.serve import load_translator, train_translator
from gdlib.serve.dates import CARD
from gdlib.serve.needs import require

OPTIONS = "GDLIB_SERVICE"  # how the command tells its workers what it was asked


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; what was taken by then is answered."""
    asked = _arguments()
    try:
        require()
    except ImportError as error:
        sys.exit(str(error))
    if not (Path(asked.folder) / CARD).exists():
        print(f"no translator in {asked.folder}: training one …", flush=True)
        train_translator(asked.folder)
    try:  # a worker that fails at its beginning would be started again and again
        _service(asked)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(str(error))
    os.environ[OPTIONS] = json.dumps(vars(asked))
    with tempfile.TemporaryDirectory() as counts:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        if asked.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        _serve(asked)


def _serve(asked: argparse.Namespace) -> None:
    import uvicorn

    config = uvicorn.Config(
        "gdlib.serve.__main__:app",
        factory=True,
        host=asked.host,
        port=asked.port,
        workers=asked.workers,
        log_level="warning",
        access_log=False,
        limit_concurrency=asked.connections,
        timeout_graceful_shutdown=30,
        timeout_worker_healthcheck=60,  # a worker compiles before it answers
    )
    socket = config.bind_socket()
    print(f"http://{asked.host}:{socket.getsockname()[1]} answers in a moment: it compiles first", flush=True)
    if asked.workers > 1:
        from uvicorn.supervisors import Multiprocess

        Multiprocess(config, sockets=[socket]).run()
    else:
        uvicorn.Server(config).run(sockets=[socket])


def app():
    """What each worker runs."""
    gdlib.keep_compiled()
    return _service(argparse.Namespace(**json.loads(os.environ[OPTIONS])))


def _service(asked: argparse.Namespace):
    from gdlib.serve.app import create

    sizes = {name: getattr(asked, name) for name in ("limit", "wait", "room", "patience", "slots")}
    return create(load_translator(asked.folder), **sizes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gdlib.serve", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", default="build/service", help="of the translator (build/service)"
    )
    for name, default, meaning in (
        ("host", "127.0.0.1", "address to listen on; the default is reached from this machine alone"),
        ("port", 8000, "port; 0 takes one that is free"),
        ("workers", 1, "processes that answer"),
        ("limit", 64, "texts translated together, at most"),
        ("wait", 0.0, "seconds that the first of a batch waits for company"),
        ("room", 256, "requests that may wait"),
        ("patience", 10.0, "seconds that one may wait"),
        ("slots", 16, "answers that are streamed at a time"),
        ("connections", 2000, "open connections, beyond which every request is refused"),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{meaning} ({default})")
    return parser.parse_args()


if __name__ == "__main__":
    main()
