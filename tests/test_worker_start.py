"""A worker does not start with a key that could meet the wrong world: told in one line, before anything is called."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import worker
from config import MissingSettingsError, Settings
from ledger import migrate
from ledger.database import Database

ROOT = Path(__file__).parent.parent
BASE = "http://127.0.0.1:1"
START = "import sys, worker; from config import Settings; sys.exit(worker.main(Settings.load()))"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('start') / 'refunds.sqlite'}"
    made = Database(url)
    migrate.upgrade(made)
    made.close()
    return url


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str]]]:
    """Somebody else's server, and the calls that it got."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("key", "base", "expected", "told"),
    [
        ("sk_live_0123456789abcdef", BASE, None, "A live Stripe key may be sent to"),
        ("rk_live_0123456789abcdef", BASE, "live", "A live Stripe key may be sent to"),
        ("sk_live_0123456789abcdef", "https://api.stripe.com.example", "live", "A live Stripe key may be sent to"),
        ("sk_live_0123456789abcdef", BASE, "test", "is test, but REFUNDS_STRIPE_SECRET_KEY is a live key"),
        (
            "sk_test_0123456789abcdef",
            "https://api.stripe.com",
            "live",
            "is live, but REFUNDS_STRIPE_SECRET_KEY is a test key",
        ),
        ("pk_live_0123456789abcdef", BASE, None, "must be a secret (sk_) or restricted (rk_) key"),
        ("sk_test_0123456789abcdef", "http://user@host", None, "must be http(s)://host[:port]"),
    ],
    ids=[
        "live key to a stranger",
        "live restricted key to a stranger",
        "live key to a host that looks like Stripe's",
        "live key where test is expected",
        "test key where live is expected",
        "a key for browsers",
        "an address with a user",
    ],
)
def test_key_mode_and_address_must_belong_together(
    monkeypatch: pytest.MonkeyPatch, key: str, base: str, expected: str | None, told: str
) -> None:
    monkeypatch.setenv("REFUNDS_STRIPE_SECRET_KEY", key)
    monkeypatch.setenv("REFUNDS_STRIPE_API_BASE", base)
    if expected is not None:
        monkeypatch.setenv("REFUNDS_STRIPE_MODE", expected)

    with pytest.raises(MissingSettingsError) as raised:
        worker.build_card(Settings.load())

    assert told in str(raised.value)
    assert key not in str(raised.value)


def test_a_worker_with_a_live_key_for_a_stranger_ends_before_it_calls_anybody(
    database: str, stranger: tuple[str, list[str]]
) -> None:
    (url, calls), key = stranger, "sk_live_0123456789abcdef"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {
        **kept,
        "REFUNDS_DATABASE_URL": database,
        "REFUNDS_POLICY": str(ROOT / "policy.toml"),
        "REFUNDS_STRIPE_SECRET_KEY": key,
        "REFUNDS_STRIPE_API_BASE": url,
        "TEMPORAL_ADDRESS": url.removeprefix("http://"),
    }
    command = [sys.executable, "-c", START]

    ended = subprocess.run(  # noqa: S603 - our own module
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode != 0
    assert "A live Stripe key may be sent to" in ended.stderr
    assert key not in ended.stderr + ended.stdout
    assert calls == []
