"""`refunds doctor` on the whole stack: healthy as it stands, and each rail and Temporal broken in turn."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.checkup import rails
from cli.checkup import temporal as temporal_check
from cli.checkup.report import Check, Status
from config import Settings
from devstack.chain import depositor
from devstack.demo.town import Town
from devstack.stack import Stack
from tests.e2e.conftest import Command
from tests.gateways.stripe_endpoints import Proxy, Reply
from workflows import attributes

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "http://127.0.0.1:9"
OTHER = depositor().address


@pytest.fixture
def environment(stack: Stack, town: Town) -> dict[str, str]:
    """What an engineer on call has: the worker's environment, and a token."""
    info, folder = stack.info, stack.folder.path
    return {
        "PATH": os.environ["PATH"],
        "REFUNDS_API_URL": info["api"],
        "REFUNDS_API_PORT": info["api"].rpartition(":")[2],
        "REFUNDS_TOKEN": info["tokens"]["admin"],
        "REFUNDS_DATABASE_URL": f"sqlite:///{folder / 'refunds.sqlite'}",
        "REFUNDS_POLICY": str(ROOT / "policy.toml"),
        "REFUNDS_STRIPE_API_BASE": info["stripe"],
        "REFUNDS_STRIPE_SECRET_KEY": info["stripe_key"],
        "REFUNDS_CHAINS": str(folder / "chains.toml"),
        "REFUNDS_KEYSTORE": str(folder / "keystore.json"),
        "REFUNDS_KEYSTORE_PASSWORD_FILE": str(folder / "keystore.password"),
        "REFUNDS_WORKER_METRICS_ADDRESS": info["worker_metrics"].removeprefix("http://").removesuffix("/metrics"),
        "TEMPORAL_ADDRESS": info["temporal"],
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def refunds(environment: dict[str, str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "cli.main", *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_whole_stack_is_healthy_and_its_health_checks_agree(environment: dict[str, str], tmp_path: Path) -> None:
    done = refunds(environment, "doctor", folder=tmp_path)
    api = refunds(environment, "serve", "--check", folder=tmp_path)
    worker = refunds(environment, "worker", "--check", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("api.ready", "policy", "database.schema", "stripe", "endpoint.1", "wallet", "keystore", "worker"):
        assert re.search(rf"^ok +\S*{re.escape(part)}", done.stdout, re.MULTILINE), part
    assert environment["REFUNDS_STRIPE_SECRET_KEY"] not in done.stdout + done.stderr
    assert (api.returncode, worker.returncode) == (0, 0), api.stderr + worker.stderr


def broken(checks: list[Check]) -> dict[str, Check]:
    assert all(check.remedy for check in checks if check.status == Status.WRONG)
    return {check.name: check for check in checks if check.status == Status.WRONG}


def test_namespace_without_attributes_and_worker_is_wrong(
    settings: Settings, temporal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporal("operator", "namespace", "create", "--namespace", "bare", as_json=False)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "bare")

    while "temporal.namespace" in (found := broken(list(temporal_check.examine()))):
        continue  # a new namespace is known everywhere only after a moment

    assert found.keys() == {
        *("temporal.search_attributes", "temporal.worker.workflow", "temporal.worker.activity"),
    }
    assert "RefundDue" in found["temporal.search_attributes"].told


def test_attribute_of_another_type_is_wrong(
    settings: Settings, temporal: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = ("--namespace", "typed")
    temporal("operator", "namespace", "create", *bare, as_json=False)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "typed")
    while "temporal.namespace" in broken(list(temporal_check.examine())):
        continue
    kinds = ["Keyword", "Keyword", "Keyword", "Keyword", "Keyword", "Keyword", "Text", "Datetime"]
    for key, kind in zip(attributes.ALL, kinds, strict=True):
        words = ("operator", "search-attribute", "create", "--name", key.name, "--type", kind)
        temporal(*words, *bare, as_json=False)

    found = broken(list(temporal_check.examine()))

    assert found["temporal.search_attributes"].told.endswith("RefundAmountMinor is Text.")


def test_namespace_that_is_not_there_and_a_temporal_that_is_away_are_told_apart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    absent = broken(list(temporal_check.examine()))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    away = broken(list(temporal_check.examine()))

    assert absent["temporal.namespace"].is_reachable
    assert not away["temporal"].is_reachable


def test_card_processor_that_refuses_the_key_or_is_away_is_told_apart(settings: Settings) -> None:
    def check(**changes: object) -> Check:
        card = settings.model_copy(update={"chains": None, **changes})
        (found,) = broken(list(rails.examine(card))).values()
        return found

    proxy = Proxy(settings.stripe_api_base)
    proxy.on("GET", "/v1/refunds", reply=Reply(401, '{"error": {"type": "invalid_request_error"}}'))

    revoked = check(stripe_api_base=proxy.url)
    proxy.stop()

    assert revoked.is_reachable
    assert "does not accept the key" in revoked.told
    assert not check(stripe_api_base=NOBODY).is_reachable
    assert (
        "sk_live_x" not in check(stripe_secret_key=SecretStr("sk_live_x")).told
    )  # to an address that is not Stripe's


Break = Callable[[Path, Settings], Settings]


def rewritten(pattern: str, value: str) -> Break:
    def change(folder: Path, settings: Settings) -> Settings:
        assert settings.chains is not None
        text, count = re.subn(pattern, value, settings.chains.read_text())
        assert count == 1
        (folder / "chains.toml").write_text(text)
        return settings.model_copy(update={"chains": folder / "chains.toml"})

    return change


def unreadable_keystore(folder: Path, settings: Settings) -> Settings:
    (folder / "keystore.json").write_text("{}")
    (folder / "keystore.json").chmod(0o600)
    return settings.model_copy(update={"keystore": folder / "keystore.json"})


def open_keystore(folder: Path, settings: Settings) -> Settings:
    assert settings.keystore is not None
    (folder / "keystore.json").write_text(settings.keystore.read_text())
    (folder / "keystore.json").chmod(0o644)
    return settings.model_copy(update={"keystore": folder / "keystore.json"})


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (rewritten("chain_id = 31337", "chain_id = 1"), "chain.1.endpoint.1", "serves chain 31337"),
        (rewritten(r"http://127.0.0.1:\d+", NOBODY), "chain.31337.endpoint.1", "did not answer"),
        (rewritten('wallet = "0x\\w+"', f'wallet = "{"0x" + "12" * 20}"'), "chain.31337.wallet", "holds 0 wei"),
        (
            rewritten('wallet = "0x\\w+"', f'wallet = "{depositor().address}"'),
            "chain.31337.keystore",
            "holds the key",
        ),
        (rewritten("min_depth = 1", "min_depth = -1"), "chains", "min_depth"),
        (unreadable_keystore, "chain.31337.keystore", "not a keystore"),
        (open_keystore, "chain.31337.keystore", "set its mode to 600"),
    ],
    ids=[
        *("wrong chain", "nobody there", "empty wallet", "key of another wallet", "broken file"),
        *("unreadable keystore", "keystore open to others"),
    ],
)
def test_broken_chain_is_named_with_its_part(
    settings: Settings, tmp_path: Path, change: Break, name: str, said: str
) -> None:
    card_left_out = settings.model_copy(update={"stripe_secret_key": None})

    found = broken(list(rails.examine(change(tmp_path, card_left_out))))

    assert said in found[name].told
