"""The real command in a process of its own, against a real server on a port that was free."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.people import Role
from ledger.database import Database, utc_now
from tests.ledger.scene import PEOPLE, Clock, Scene
from tests.statements import keep_statements

ROOT = Path(__file__).resolve().parents[2]
CALLERS = {"shop": Role.BILLING, **PEOPLE}
LOOK_SECONDS = 0.05
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there on a machine of today


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """A shell on one installation: its environment, and the ledger behind the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database_url = f"sqlite:///{folder / 'ledger.sqlite'}"
        own = {name: it for name, it in os.environ.items() if not name.startswith(("REFUNDS_", "TEMPORAL_"))}
        self.environment = own | {
            "REFUNDS_DATABASE_URL": self.database_url,
            "REFUNDS_POLICY": str(ROOT / "policy.toml"),
            "REFUNDS_API_PORT": "0",
            "TEMPORAL_ADDRESS": "127.0.0.1:9",
        }
        self.server: subprocess.Popen[str] | None = None

    def run(self, *arguments: str, caller: str | None = None, stdin: str | bytes = b"", **environment: str) -> Ended:
        """Run `refunds` as one of `CALLERS`, or as nobody."""
        token = {} if caller is None else {"REFUNDS_TOKEN": f"rfd_{caller}_token"}
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-P", "-m", "cli.main", *arguments],
            cwd=self.folder,
            env=self.environment | token | environment,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def serve(self, *arguments: str) -> None:
        """Start the API and wait until it says on which port it listens."""
        self.server = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-P", "-m", "cli.main", "serve", *arguments],
            cwd=self.folder,
            env=self.environment,
            stderr=(self.folder / "server.log").open("w"),
            text=True,
        )
        while not (started := [line for line in self.logs() if line["event"] == "server.started"]):
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(timeout=LOOK_SECONDS)
                raise AssertionError(self.log_text())
        self.environment["REFUNDS_API_URL"] = f"http://127.0.0.1:{started[0]['port']}"

    def stop(self) -> int:
        """Stop the API by its pid and return its exit status."""
        assert self.server is not None
        self.server.terminate()
        return self.server.wait(timeout=30)

    def log_text(self) -> str:
        return (self.folder / "server.log").read_text()

    def logs(self) -> list[dict[str, Any]]:
        """The server's log lines that are complete."""
        return [json.loads(line) for line in self.log_text().splitlines(keepends=True) if line.endswith("\n")]

    def scene(self) -> Scene:
        """The ledger behind the server, at the present moment."""
        clock = Clock()
        clock.moment = utc_now()
        return Scene(keep_statements(Database(self.database_url, clock)), clock)
