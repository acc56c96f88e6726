"""Loopback ports, chosen once for each data folder and remembered, so that addresses outlive processes."""

import asyncio
import json
import random
import socket
import time
from pathlib import Path

HOST = "127.0.0.1"
# Below the range from which Linux and macOS take the ports of outgoing connections, so that none is lost to one
# while its process is being started again.
_CHOICE = range(20_000, 32_000)
_TRIES_MAX = 200
# After its supervisor was killed, the kernel needs a moment to end a process and to free its port.
FREE_SECONDS_MAX = 3.0
POLL_SECONDS = 0.05


class PortTaken(Exception):
    """Another program listens where a component has to."""


class Ports:
    """The ports of one data folder, by name; a new name gets a free one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ports: dict[str, int] = json.loads(file.read_text()) if file.is_file() else {}

    def of(self, name: str) -> int:
        """Return the remembered port, or choose one and remember it."""
        if name not in self._ports:
            self._ports[name] = _choose(set(self._ports.values()))
            fresh = self._file.with_name(self._file.name + ".new")
            fresh.write_text(json.dumps(self._ports, indent=1) + "\n")
            fresh.replace(self._file)
        return self._ports[name]


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port; connections that wait for their end do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def wait_until_free(port: int, component: str) -> None:
    """Wait a moment for the port; raise `PortTaken` when another program keeps it."""
    deadline = time.monotonic() + FREE_SECONDS_MAX
    while not is_free(port):
        if time.monotonic() > deadline:
            raise PortTaken(
                f"Port {port}, which {component} uses in this data folder, is taken by another program. "
                "Stop that program, or remove ports.json from the folder to have new ports chosen."
            )
        await asyncio.sleep(POLL_SECONDS)


def _choose(taken: set[int]) -> int:
    for _ in range(_TRIES_MAX):
        port = random.choice(_CHOICE)  # noqa: S311 - a port is no secret
        if port not in taken and is_free(port):
            return port
    raise PortTaken(f"No free port was found between {_CHOICE.start} and {_CHOICE.stop}.")
