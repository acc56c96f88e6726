"""A supervised process comes back when it dies, on its port, and never outlives its supervisor."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstack.ports import HOST, Ports, is_free
from devstack.processes import QUICK_DEATHS_MAX, ProcessFailed, Program, SupervisedProcess

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS_MAX = 20.0

# Tells its pid to whoever connects.
SERVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from devstack.processes import Program, SupervisedProcess

async def at_once(pid):
    return True

async def main():
    program = Program("sleeper", ("sleep", "60"), {"PATH": "/usr/bin:/bin"}, at_once)
    process = SupervisedProcess(program, Path(sys.argv[1]), lambda: print(process.pid, flush=True))
    await process.run()

asyncio.run(main())
"""


async def test_killed_process_is_started_again_on_the_same_port(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    async with _supervised(_server(ports.of("server")), tmp_path) as process:
        first = _pid(process)

        os.kill(first, signal.SIGKILL)
        await _until(lambda: process.pid != first)

        assert await _answer(ports.of("server")) == process.pid
        assert _is_gone(first)


async def test_process_that_others_kill_is_started_again_however_often(tmp_path: Path) -> None:
    async with _supervised(_server(Ports(tmp_path / "ports.json").of("server")), tmp_path) as process:
        for _ in range(QUICK_DEATHS_MAX + 1):
            before = _pid(process)
            os.kill(before, signal.SIGKILL)
            await _until(lambda before=before: process.pid != before)


async def test_stopped_process_is_gone(tmp_path: Path) -> None:
    async with _supervised(_server(Ports(tmp_path / "ports.json").of("server")), tmp_path) as process:
        pid = _pid(process)

    assert _is_gone(pid)


async def test_process_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    port = Ports(tmp_path / "ports.json").of("server")
    async with _supervised(_server(port, STUBBORN, stop_seconds_max=0.2), tmp_path) as process:
        pid = _pid(process)

    assert _is_gone(pid)
    assert is_free(port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process when its parent died")
def test_no_process_survives_a_killed_supervisor(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path / "sleeper.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as supervisor:  # noqa: S603 - our own
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        assert not _is_gone(pid)

        supervisor.kill()

    deadline = time.monotonic() + SECONDS_MAX
    while not _is_gone(pid):
        assert time.monotonic() < deadline, "the process outlived its supervisor"
        os.sched_yield()


async def test_program_that_keeps_ending_is_given_up_and_its_log_is_named(tmp_path: Path) -> None:
    process = SupervisedProcess(_python("raise SystemExit('no such database')"), tmp_path / "part.log")

    with pytest.raises(ProcessFailed) as failure:
        await asyncio.wait_for(process.run(), SECONDS_MAX)

    assert str(failure.value) == (
        "part ended 2 times in a row, the last time with exit code 1; "
        f'its log is {tmp_path / "part.log"}, which ends with: "no such database"'
    )


async def test_program_that_worked_once_gets_more_tries_before_it_is_given_up(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    source = f"import os, time\nif os.path.exists({str(flag)!r}): raise SystemExit(3)\ntime.sleep(60)"
    process = SupervisedProcess(_python(source, is_ready=_at_once), tmp_path / "part.log")
    life = asyncio.create_task(process.run())
    await process.ready.wait()

    flag.touch()
    os.kill(_pid(process), signal.SIGKILL)
    with pytest.raises(ProcessFailed, match=f"part ended {QUICK_DEATHS_MAX} times in a row"):
        await asyncio.wait_for(life, SECONDS_MAX)


async def test_program_that_is_not_ready_in_time_is_ended_and_its_log_is_named(tmp_path: Path) -> None:
    pids: list[int] = []

    async def never(pid: int) -> bool:
        pids.append(pid)
        return False

    process = SupervisedProcess(
        _python("import time; time.sleep(60)", is_ready=never, ready_seconds_max=0.3), tmp_path / "part.log"
    )

    with pytest.raises(ProcessFailed) as failure:
        await asyncio.wait_for(process.run(), SECONDS_MAX)

    assert str(failure.value) == f"part was not ready within 0 seconds; its log is {tmp_path / 'part.log'}."
    assert _is_gone(pids[0])


async def test_taken_port_is_named_with_the_program_that_needs_it(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        process = SupervisedProcess(_server(port), tmp_path / "server.log")

        with pytest.raises(ProcessFailed, match=rf"^Port {port}, which server uses in this data folder, is taken"):
            await asyncio.wait_for(process.run(), SECONDS_MAX)


async def test_command_that_does_not_exist_is_said_in_the_log(tmp_path: Path) -> None:
    missing = Program("part", (str(tmp_path / "missing"),), {}, _not_yet)

    with pytest.raises(ProcessFailed, match="missing cannot be started: No such file or directory"):
        await asyncio.wait_for(SupervisedProcess(missing, tmp_path / "part.log").run(), SECONDS_MAX)


async def test_process_gets_exactly_the_environment_that_was_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_SOMEBODY_ELSE", "1")
    told = tmp_path / "environment.json"
    source = f"import json, os, time; json.dump(dict(os.environ), open({str(told)!r}, 'w')); time.sleep(60)"

    async def has_told(_: int) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads(told.read_text()))
        return False

    program = _python(source, is_ready=has_told, environment={"PLANNED": "yes", "LC_CTYPE": "C.UTF-8"})
    async with _supervised(program, tmp_path):
        assert json.loads(told.read_text()) == {"PLANNED": "yes", "LC_CTYPE": "C.UTF-8"}


def test_ports_are_remembered_and_differ(tmp_path: Path) -> None:
    names = ("api", "temporal", "stripe")
    first = Ports(tmp_path / "ports.json")
    chosen = {name: first.of(name) for name in names}

    again = Ports(tmp_path / "ports.json")

    assert {name: again.of(name) for name in names} == chosen
    assert len(set(chosen.values())) == len(names)


def test_port_of_a_server_that_was_just_killed_counts_as_free() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)):
            accepted, _ = server.accept()
            accepted.close()  # closing first leaves this side's end waiting on the port
        assert not is_free(port)

    assert is_free(port)


@asynccontextmanager
async def _supervised(program: Program, folder: Path) -> AsyncIterator[SupervisedProcess]:
    process = SupervisedProcess(program, folder / f"{program.name}.log")
    life = asyncio.create_task(process.run())
    try:
        await asyncio.wait_for(process.ready.wait(), SECONDS_MAX)
        yield process
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


def _server(port: int, source: str = SERVER, *, stop_seconds_max: float = 5.0) -> Program:
    async def tells_its_pid(pid: int) -> bool:
        return await _answer(port) == pid

    command = (sys.executable, "-I", "-S", "-c", source, str(port))
    return Program("server", command, {}, tells_its_pid, (port,), stop_seconds_max=stop_seconds_max)


async def _at_once(_: int) -> bool:
    return True


async def _not_yet(_: int) -> bool:
    return False


def _python(
    source: str,
    *,
    is_ready: Callable[[int], object] = _not_yet,
    environment: dict[str, str] | None = None,
    ready_seconds_max: float = SECONDS_MAX,
) -> Program:
    command = (sys.executable, "-I", "-S", "-c", source)
    return Program("part", command, environment or {}, is_ready, ready_seconds_max=ready_seconds_max)  # type: ignore[arg-type]


async def _answer(port: int) -> int | None:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
        said = await reader.read()
        writer.close()
    except OSError:
        return None
    return int(said) if said else None


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in another process
            await asyncio.sleep(0.01)


def _pid(process: SupervisedProcess) -> int:
    assert process.pid is not None
    return process.pid


def _is_gone(pid: int) -> bool:
    """A zombie that init has not collected yet does nothing any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z"
