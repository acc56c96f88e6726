"""`refunds worker --check`: 0 only where a worker's loop turned lately."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli import liveness
from cli.exits import CommandFailed, Exit

Says = Callable[[str], None]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Iterator[Says]:
    """A place where metrics are shown, and what they say."""
    text = ""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            return

    def say(words: str) -> None:
        nonlocal text
        text = words

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv(liveness.VARIABLE, f"0.0.0.0:{server.server_port}")
        yield say
        server.shutdown()
        thread.join()


def refused() -> tuple[int, str]:
    with pytest.raises(CommandFailed) as failure:
        liveness.require_worker()
    return failure.value.status, failure.value.message


def test_a_worker_whose_loop_turned_lately_is_alive(says: Says) -> None:
    says(f"# TYPE refunds_worker_alive_at_seconds gauge\nrefunds_worker_alive_at_seconds {time.time() - 10}\n")

    liveness.require_worker()


def test_a_worker_whose_loop_stands_still_is_not_although_its_metrics_answer(says: Says) -> None:
    says(f"refunds_worker_alive_at_seconds {time.time() - 31}\n")

    assert refused() == (Exit.NOT_REACHABLE, "The worker's loop has not turned for 31 seconds.")


def test_something_else_that_answers_is_no_worker(says: Says) -> None:
    says("temporal_num_pollers 4\n")

    assert refused()[0] == Exit.NOT_REACHABLE


def test_nobody_who_answers_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(liveness.VARIABLE, "127.0.0.1:9")

    assert refused()[0] == Exit.NOT_REACHABLE


def test_without_an_address_the_check_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(liveness.VARIABLE, raising=False)

    status, message = refused()
    assert (status, liveness.VARIABLE in message) == (Exit.USAGE, True)
