"""`refunds serve` starts only where it can work, and stops in good order; the local stack may be absent."""

import socket
import sqlite3
import subprocess
import sys

import httpx2

from server import listen
from tests.cli.shell import ROOT, Shell

WITHOUT_DEVSTACK = "import sys; sys.modules['devstack'] = None; from cli.main import app; app(['{command}'])"


def test_server_refuses_a_database_of_another_version(fresh: Shell) -> None:
    done = fresh.run("serve")

    assert done.status == 2
    assert "refunds serve --migrate" in done.err
    assert "Traceback" not in done.err


def test_database_of_a_newer_version_is_not_migrated_and_says_so(fresh: Shell) -> None:
    assert fresh.run("migrate").status == 0
    with sqlite3.connect(fresh.folder / "ledger.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    done = fresh.run("migrate")

    assert done.status == 2
    assert "A newer version has migrated the database (to 9999)" in done.err
    assert "Traceback" not in done.err


def test_server_names_wrong_settings(fresh: Shell) -> None:
    for name, value in (
        ("REFUNDS_API_PORT", "http"),
        ("REFUNDS_POLICY", "nowhere.toml"),
        ("REFUNDS_DATABASE_URL", "nonsense"),
        ("TEMPORAL_CONFIG_FILE", "nowhere.toml"),
    ):
        environment = {name: value} | ({"TEMPORAL_PROFILE": "x"} if name.startswith("TEMPORAL") else {})
        done = fresh.run("serve", "--migrate", **environment)
        assert done.status == 2, name
        assert name.partition("_")[0].lower() in done.err.lower()
        assert "Traceback" not in done.err


def test_server_that_finds_its_port_taken_says_so(shell: Shell) -> None:
    port = shell.environment["REFUNDS_API_URL"].rpartition(":")[2]

    done = shell.run("serve", REFUNDS_API_PORT=port)

    assert done.status == 2
    assert "REFUNDS_API_PORT" in done.err


def test_server_migrates_serves_logs_json_and_stops_in_good_order(fresh: Shell) -> None:
    fresh.serve("--migrate")
    url = fresh.environment["REFUNDS_API_URL"]

    assert httpx2.get(f"{url}/livez", trust_env=False).status_code == 200
    not_ready = httpx2.get(f"{url}/readyz", trust_env=False)
    refused = httpx2.get(f"{url}/v1/refunds", trust_env=False)

    assert not_ready.json()["detail"] == "Missing: temporal."
    assert refused.status_code == 401
    assert "server" not in refused.headers
    assert fresh.stop() == 0
    (line,) = [line for line in fresh.logs() if line["event"] == "request.refused"]
    assert line["request_id"] == refused.headers["x-request-id"]
    assert {"level", "timestamp", "route", "status"} <= set(line)


def test_server_that_is_stopped_says_so_and_answers_what_it_was_asked(fresh: Shell) -> None:
    fresh.environment["REFUNDS_API_DRAIN_SECONDS"] = "2"
    fresh.serve("--migrate")
    url = httpx2.URL(fresh.environment["REFUNDS_API_URL"])
    httpx2.get(f"{url}/livez", trust_env=False, timeout=20)
    with socket.create_connection((url.host, url.port), timeout=20) as begun:
        begun.sendall(b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{")
        assert fresh.server is not None
        fresh.server.terminate()
        while not any(line["event"] == "server.stopping" for line in fresh.logs()):
            assert fresh.server.poll() is None
        said = httpx2.get(f"{url}/readyz", trust_env=False)

        begun.sendall(b"}")
        answer = begun.recv(4096)

    assert (said.status_code, said.json()["detail"]) == (503, "This process is stopping.")
    assert answer.startswith(b"HTTP/1.1 401")
    assert fresh.server.wait(timeout=20) == 0


def test_answers_do_not_wait_for_the_other_side_s_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()

    with connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_installation_without_the_local_stack_says_so() -> None:
    for command in ("up", "demo"):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", WITHOUT_DEVSTACK.format(command=command)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert "not part of this installation" in done.stderr
        assert "Traceback" not in done.stderr
