"""The local stack on real components: one line tells everything, what dies comes back, nothing is forgotten."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from devstack.chain_state import ChainState
from devstack.data_folder import DataFolder
from devstack.plan import Plan, WrongSurroundings
from devstack.ports import is_free
from devstack.processes import Program
from devstack.readiness import new_http_client
from devstack.stack import INFO_FILE, Stack, StackError

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS_MAX = 60.0
COMPONENTS = ("api", "worker", "temporal", "stripe", "chain_31337")
SOMEBODY = "0x00000000000000000000000000000000000000aa"
# What this machine's own shell may hold would be taken for components that run already.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("REFUNDS_", "TEMPORAL_"))}

together = [pytest.mark.stack]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), ENVIRONMENT) as running:
        yield running


class TestRunning:
    """One stack, started once for all of these."""

    pytestmark = together

    def test_every_part_answers_where_the_stack_says(self, stack: Stack) -> None:
        info = stack.info

        assert _get(f"{info['api']}/readyz").status_code == 200
        assert _get(info["temporal_ui"]).status_code == 200
        assert _get(f"{info['stripe']}/_sim/healthz").json()["simulated"] is True
        assert _rpc(info, "eth_chainId") == hex(31337)
        assert tuple(info["pids"]) == COMPONENTS

    def test_depositor_and_wallet_hold_money_on_the_chain(self, stack: Stack) -> None:
        from eth_account import Account  # noqa: PLC0415 - slow to import, and of use to one test only

        (chain,) = stack.info["chains"]
        depositor = Account.from_key(chain["depositor_key"]).address

        assert all(int(_rpc(stack.info, "eth_getBalance", it, "latest"), 16) for it in (depositor, chain["wallet"]))

    @pytest.mark.parametrize("caller", ["helpdesk", "viewer", "approver_1", "approver_2", "admin"])
    def test_registered_caller_may_list_refunds(self, stack: Stack, caller: str) -> None:
        token = stack.info["tokens"][caller]

        answer = _get(f"{stack.info['api']}/v1/refunds", headers={"Authorization": f"Bearer {token}"})

        assert answer.status_code == 200

    def test_kept_description_is_the_same_and_for_its_owner_only(self, stack: Stack) -> None:
        file = stack.folder.path / INFO_FILE

        assert json.loads(file.read_text()) == stack.info
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize("component", COMPONENTS)
    def test_killed_component_comes_back_on_its_address_with_a_new_pid(self, stack: Stack, component: str) -> None:
        before = stack.info

        os.kill(before["pids"][component], signal.SIGKILL)
        _until(lambda: _kept(stack)["pids"][component] != before["pids"][component])

        after = _kept(stack)
        others = [name for name in COMPONENTS if name != component]
        assert {**after, "pids": None} == {**before, "pids": None}
        assert [after["pids"][name] for name in others] == [before["pids"][name] for name in others]
        _until(lambda: _get(f"{after['api']}/readyz").status_code == 200)

    def test_second_stack_on_a_folder_in_use_is_refused(self, stack: Stack) -> None:
        ended = subprocess.run(  # noqa: S603 - our own command
            _command(stack.folder.path), capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, check=False
        )

        assert ended.returncode == 3
        assert ended.stdout == ""
        assert ended.stderr.startswith(f"Another stack is running on {stack.folder.path};")


class TestStartedAgain:
    """Stacks of their own, because they end."""

    pytestmark = together

    def test_second_run_continues_where_the_first_stopped_and_a_killed_one_leaves_nothing_behind(
        self, tmp_path: Path
    ) -> None:
        with _up(tmp_path) as (process, first):
            _rpc(first, "anvil_setBalance", SOMEBODY, hex(4711))
            asyncio.run(_start_workflow_that_nobody_works_on(first["temporal"]))

            process.terminate()
            assert process.wait(SECONDS_MAX) == 0

        assert all(_is_gone(pid) for pid in first["pids"].values())
        assert not (tmp_path / INFO_FILE).exists()

        with _up(tmp_path) as (process, second):
            assert {**second, "pids": None} == {**first, "pids": None}
            assert int(_rpc(second, "eth_getBalance", SOMEBODY, "latest"), 16) == 4711
            assert asyncio.run(_is_workflow_there(second["temporal"]))

            process.kill()
            process.wait()

        if sys.platform == "linux":
            _until(lambda: all(_is_gone(pid) for pid in second["pids"].values()))

    def test_part_that_cannot_start_is_named_with_its_log_and_nothing_is_left_running(self, tmp_path: Path) -> None:
        stack = Stack(tmp_path, {**ENVIRONMENT, "REFUNDS_POLICY": str(tmp_path / "missing.toml")})

        with pytest.raises(StackError, match=r"^(api|worker) ended 2 times .* its log is .*/logs/(api|worker)\.log"):
            stack.start()

        ports = json.loads((tmp_path / "ports.json").read_text())
        assert all(is_free(port) for port in ports.values())

    def test_stack_that_is_stopped_while_it_starts_leaves_nothing_running(self, tmp_path: Path) -> None:
        with subprocess.Popen(_command(tmp_path), env=ENVIRONMENT, cwd=ROOT) as process:  # noqa: S603 - our own
            _until((tmp_path / "logs" / "temporal.log").exists)

            process.terminate()
            assert process.wait(SECONDS_MAX) == 0

        assert all(is_free(port) for port in json.loads((tmp_path / "ports.json").read_text()).values())


class TestPlan:
    """What would be started, without starting it."""

    async def test_everything_is_started_by_default(self, tmp_path: Path) -> None:
        plan = _plan(tmp_path)

        assert [program.name for program in plan.components] == ["temporal", "stripe", "chain_31337"]
        assert [program.name for program in plan.services] == ["api", "worker"]

    @pytest.mark.parametrize(
        ("name", "value", "component"),
        [
            pytest.param("TEMPORAL_ADDRESS", "temporal.test:7233", "temporal", id="Temporal"),
            pytest.param("REFUNDS_STRIPE_API_BASE", "http://127.0.0.1:9", "stripe", id="Stripe"),
        ],
    )
    async def test_component_with_an_address_from_outside_is_used_and_not_started(
        self, tmp_path: Path, name: str, value: str, component: str
    ) -> None:
        plan = _plan(tmp_path, {name: value})

        assert component not in [program.name for program in plan.components]
        assert getattr(plan.info, component) == value
        assert _service(plan, "worker").environment[name] == value

    async def test_chain_from_outside_is_used_and_not_started(self, tmp_path: Path) -> None:
        _plan(tmp_path)  # writes a file of chains
        names = {
            "REFUNDS_CHAINS": "chains.toml",
            "REFUNDS_KEYSTORE": "keystore.json",
            "REFUNDS_KEYSTORE_PASSWORD_FILE": "keystore.password",
        }
        given = {name: str(tmp_path / file) for name, file in names.items()}

        plan = _plan(tmp_path / "other", given)

        assert [program.name for program in plan.components] == ["temporal", "stripe"]
        assert [chain.chain_id for chain in plan.info.chains] == [31337]
        assert given.items() <= _service(plan, "worker").environment.items()

    async def test_chain_from_outside_without_the_key_of_its_wallet_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WrongSurroundings, match="set REFUNDS_KEYSTORE, REFUNDS_KEYSTORE_PASSWORD_FILE"):
            _plan(tmp_path, {"REFUNDS_CHAINS": "chains.toml"})

    async def test_card_processor_elsewhere_without_its_key_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WrongSurroundings, match="set REFUNDS_STRIPE_SECRET_KEY too"):
            _plan(tmp_path, {"REFUNDS_STRIPE_API_BASE": "https://api.stripe.com"})

    async def test_database_from_outside_is_used(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/other.sqlite"

        plan = _plan(tmp_path, {"REFUNDS_DATABASE_URL": url})

        assert {program.environment["REFUNDS_DATABASE_URL"] for program in plan.services} == {url}

    async def test_card_key_from_outside_does_not_reach_the_simulator(self, tmp_path: Path) -> None:
        plan = _plan(tmp_path, {"REFUNDS_STRIPE_SECRET_KEY": "sk_test_of_a_real_account"})

        programs = [*plan.components, *plan.services]
        assert not any("sk_test_of_a_real_account" in program.environment.values() for program in programs)
        assert plan.info.stripe_key != "sk_test_of_a_real_account"

    async def test_profile_meant_for_another_temporal_does_not_reach_ours(self, tmp_path: Path) -> None:
        plan = _plan(tmp_path, {"TEMPORAL_API_KEY": "secret", "TEMPORAL_NAMESPACE": "production"})

        environment = _service(plan, "worker").environment
        assert "TEMPORAL_API_KEY" not in environment
        assert environment["TEMPORAL_NAMESPACE"] == "default"
        assert environment["TEMPORAL_CONFIG_FILE"] == os.devnull

    async def test_api_holds_no_key_that_moves_money(self, tmp_path: Path) -> None:
        environment = _service(_plan(tmp_path), "api").environment

        assert not {"REFUNDS_STRIPE_SECRET_KEY", "REFUNDS_KEYSTORE", "REFUNDS_CHAINS"} & environment.keys()
        assert "REFUNDS_STRIPE_WEBHOOK_SECRET" in environment

    async def test_secrets_are_made_once_and_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        first, second = _plan(tmp_path).info, _plan(tmp_path).info

        assert first == second
        for name in ("tokens.json", "stripe.json", "keystore.json", "keystore.password", "chains.toml"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


class TestDataFolder:
    """Where everything is kept."""

    def test_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(StackError, match=rf"^{tmp_path}/file/stack cannot be used as a data folder: "):
            Stack(tmp_path / "file" / "stack", ENVIRONMENT).start()


class TestChainState:
    """A state file that anvil was killed over."""

    def test_broken_state_is_replaced_by_the_newest_whole_copy(self, tmp_path: Path) -> None:
        state = ChainState(tmp_path / "chain.json")
        for age_seconds, (name, text) in enumerate(
            [("chain.json", ""), ("chain.json.copy1", '{"block": 3}'), ("chain.json.copy2", '{"block": 2}')]
        ):
            (tmp_path / name).write_text(text)
            os.utime(tmp_path / name, (time.time() - age_seconds,) * 2)

        state.mend()

        assert state.file.read_text() == '{"block": 3}'

    def test_half_written_copy_is_passed_over(self, tmp_path: Path) -> None:
        state = ChainState(tmp_path / "chain.json")
        state.file.write_text('{"block')
        (tmp_path / "chain.json.copy1").write_text('{"block": 2}')
        os.utime(tmp_path / "chain.json.copy1", (1, 1))
        (tmp_path / "chain.json.copy2").write_text('{"blo')

        state.mend()

        assert state.file.read_text() == '{"block": 2}'

    def test_whole_state_is_left_alone(self, tmp_path: Path) -> None:
        state = ChainState(tmp_path / "chain.json")
        state.file.write_text('{"block": 4}')
        (tmp_path / "chain.json.copy1").write_text('{"block": 3}')

        state.mend()

        assert state.file.read_text() == '{"block": 4}'

    def test_broken_state_without_a_copy_is_removed(self, tmp_path: Path) -> None:
        state = ChainState(tmp_path / "chain.json")
        state.file.touch()

        state.mend()

        assert not state.file.exists()

    async def test_states_are_copied_in_turn(self, tmp_path: Path) -> None:
        state = ChainState(tmp_path / "chain.json")
        copying = asyncio.create_task(state.keep_copies())

        for block in (1, 2):
            state.file.write_text(f'{{"block": {block}}}')
            async with asyncio.timeout(SECONDS_MAX):
                while f'{{"block": {block}}}' not in _copies(tmp_path):  # noqa: ASYNC110 - it waits for a file
                    await asyncio.sleep(0.01)
        copying.cancel()

        assert sorted(_copies(tmp_path)) == ['{"block": 1}', '{"block": 2}']


def _copies(folder: Path) -> list[str]:
    return [file.read_text() for file in folder.glob("chain.json.copy*")]


def _plan(folder: Path, outside: dict[str, str] | None = None) -> Plan:
    data = DataFolder(folder)
    with data.claimed():
        return Plan(data, {**ENVIRONMENT, **(outside or {})}, new_http_client())


def _service(plan: Plan, name: str) -> Program:
    return next(program for program in plan.services if program.name == name)


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "cli.main", "up", "--data-dir", str(folder), "--json"]


@contextmanager
def _up(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """Run the command until its line came; whatever happens then, it is over at the end."""
    with subprocess.Popen(  # noqa: S603 - our own command
        _command(folder), stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
            assert process.stdout.read() == "", "more than one line was printed"
        finally:
            process.kill()


def _kept(stack: Stack) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((stack.folder.path / INFO_FILE).read_text())
    return kept


def _get(url: str, **options: Any) -> httpx2.Response:
    return httpx2.get(url, timeout=SECONDS_MAX, trust_env=False, **options)


def _rpc(info: dict[str, Any], method: str, *params: Any) -> Any:
    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx2.post(info["chains"][0]["rpc"], json=question, trust_env=False).json()["result"]


async def _start_workflow_that_nobody_works_on(address: str) -> None:
    client = await Client.connect(address)
    await client.start_workflow("Nobody", id="still-here", task_queue="nobody")


async def _is_workflow_there(address: str) -> bool:
    client = await Client.connect(address)
    return (await client.get_workflow_handle("still-here").describe()).workflow_type == "Nobody"


def _until(condition: Any) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        with suppress(httpx2.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _is_gone(pid: int) -> bool:
    """A zombie that init has not collected yet does nothing any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] == "Z"
