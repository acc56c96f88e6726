"""The fault proxy in front of a real node: what each fault looks like, what reaches the node, what is kept."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from eth_account import Account

from chaos.rpc_faults import OF_TRANSPORT, RATES, Call, Fault, Faults
from chaos.rpc_proxy import RpcProxy
from devstack.chain import Anvil, anvil_command, deposit_address, free_port, wallet

GWEI = 10**9


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    port = free_port()
    with Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil:
        anvil.call("anvil_mine", hex(8))
        yield anvil


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[RpcProxy]:
    with RpcProxy(anvil.url, endpoints=2, rates={}, send_rates={}, hang_seconds=0.2) as proxy:
        yield proxy


def post(url: str, method: str, *params: Any) -> httpx2.Response:
    question = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
    return httpx2.post(url, json=question, timeout=5, trust_env=False)


def ask(url: str, method: str, *params: Any) -> Any:
    return post(url, method, *params).json().get("result")


def signed(anvil: Anvil) -> tuple[str, str]:
    """Return fresh bytes of our wallet, and their hash."""
    it = wallet().sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": int(anvil.call("eth_getTransactionCount", wallet().address, "pending"), 16),
            "to": Account.create().address,
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 10 * GWEI,
            "maxPriorityFeePerGas": 1,
        }
    )
    return it.raw_transaction.to_0x_hex(), it.hash.to_0x_hex()


def is_known(anvil: Anvil, tx_hash: str) -> bool:
    return anvil.call("eth_getTransactionByHash", tx_hash) is not None


def test_every_call_is_passed_on_and_counted_while_nothing_is_armed(anvil: Anvil, proxy: RpcProxy) -> None:
    for url in proxy.urls:
        assert ask(url, "eth_chainId") == hex(31337)
    batch = [{"jsonrpc": "2.0", "id": number, "method": "eth_chainId", "params": []} for number in (1, 2)]
    answers = httpx2.post(proxy.urls[1], json=batch, trust_env=False).json()

    assert [(it["id"], it["result"]) for it in answers] == [(1, hex(31337)), (2, hex(31337))]
    assert proxy.journal.calls() == {"eth_chainId": 4}
    assert proxy.journal.calls(0) == {"eth_chainId": 1}
    assert not proxy.faults.fired


@pytest.mark.parametrize(
    ("fault", "status", "is_json"),
    [
        (Fault.BUSY, 429, True),
        (Fault.BUSY_EMPTY, 429, False),
        (Fault.DOWN, 503, False),
        (Fault.DOWN_EMPTY, 503, False),
        (Fault.HTML, 200, False),
        (Fault.EMPTY, 200, False),
        (Fault.TRUNCATED, 200, False),
    ],
)
def test_spoiled_answers_look_like_those_of_bad_days(
    proxy: RpcProxy, fault: Fault, status: int, is_json: bool
) -> None:
    proxy.arm(fault, method="eth_chainId")

    answer = post(proxy.urls[0], "eth_chainId")

    assert answer.status_code == status
    try:
        assert ("error" in answer.json()) == is_json
    except ValueError:
        assert not is_json
    assert ask(proxy.urls[0], "eth_chainId") == hex(31337), "an armed fault happens once"
    assert proxy.faults.fired == {fault: 1}


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [(Fault.LOST_BEFORE, False), (Fault.LOST_REPLY, True), (Fault.TIMEOUT, True)],
)
def test_a_cut_connection_says_nothing_of_whether_the_bytes_arrived(
    anvil: Anvil, proxy: RpcProxy, fault: Fault, arrives: bool
) -> None:
    raw, tx_hash = signed(anvil)
    proxy.arm(fault)

    with pytest.raises(httpx2.TransportError):
        post(proxy.urls[0], "eth_sendRawTransaction", raw)

    assert is_known(anvil, tx_hash) == arrives


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.SWALLOWED, None),
        (Fault.BOGUS_KNOWN, "already known"),
        (Fault.BOGUS_NONCE, "nonce too low"),
    ],
)
def test_bytes_that_never_reach_the_node_are_answered_as_if_they_did_and_kept(
    anvil: Anvil, proxy: RpcProxy, fault: Fault, told: str | None
) -> None:
    raw, tx_hash = signed(anvil)
    proxy.arm(fault)

    answer = post(proxy.urls[1], "eth_sendRawTransaction", raw).json()

    assert answer.get("error", {}).get("message") == told
    assert told or answer["result"] == tx_hash
    assert not is_known(anvil, tx_hash)
    (kept,) = proxy.journal.raws
    assert (kept.raw, kept.tx_hash, kept.fates) == (raw, tx_hash, [fault])
    assert ask(proxy.urls[0], "eth_sendRawTransaction", kept.raw) == tx_hash
    assert is_known(anvil, tx_hash)
    assert proxy.journal.raws[0].fates == [fault, "forwarded"]


def test_receipts_come_null_once_or_late_for_what_is_in_a_block(anvil: Anvil, proxy: RpcProxy) -> None:
    raw, tx_hash = signed(anvil)
    proxy.arm(Fault.RECEIPT_NULL)
    assert ask(proxy.urls[0], "eth_getTransactionReceipt", tx_hash) is None
    assert proxy.faults.waiting == [Fault.RECEIPT_NULL], "what is in no block is no lie"
    ask(proxy.urls[0], "eth_sendRawTransaction", raw)
    anvil.call("evm_mine")

    assert proxy.journal.shown == frozenset()
    looks = [ask(proxy.urls[0], "eth_getTransactionReceipt", tx_hash) for _ in range(2)]
    assert proxy.journal.shown == {tx_hash}
    proxy.arm(Fault.RECEIPT_LATE)
    late = [ask(proxy.urls[1], "eth_getTransactionReceipt", tx_hash) for _ in range(4)]

    assert [it is None for it in looks] == [True, False]
    assert [it is None for it in late] == [True, True, True, False]


def test_counts_heads_and_chain_are_lied_about(anvil: Anvil, proxy: RpcProxy) -> None:
    raw, _ = signed(anvil)
    ask(proxy.urls[0], "eth_sendRawTransaction", raw)
    anvil.call("evm_mine")
    url = proxy.urls[0]
    count = int(ask(url, "eth_getTransactionCount", wallet().address, "latest"), 16)
    head = ask(url, "eth_getBlockByNumber", "latest", False)
    older = ask(url, "eth_getBlockByNumber", hex(int(head["number"], 16) - 2), False)
    for fault in (Fault.STALE_NONCE, Fault.STALE_HEAD, Fault.OTHER_CHAIN):
        proxy.arm(fault)

    assert int(ask(url, "eth_getTransactionCount", wallet().address, "latest"), 16) == count - 1
    assert ask(url, "eth_getBlockByNumber", "latest", False) == older
    assert ask(url, "eth_chainId") == "0x1"
    proxy.arm(Fault.WRONG_HEAD)
    assert int(ask(url, "eth_blockNumber"), 16) > int(head["number"], 16) + 100
    assert ask(url, "eth_getBlockByNumber", "latest", False) == head


def test_an_armed_fault_waits_for_its_endpoint_method_and_subject(proxy: RpcProxy) -> None:
    proxy.arm(Fault.EMPTY, endpoint=1, method="eth_getBalance", contains=wallet().address.lower())

    asked = [
        post(proxy.urls[0], "eth_getBalance", wallet().address, "latest"),
        post(proxy.urls[1], "eth_getBalance", deposit_address(), "latest"),
        post(proxy.urls[1], "eth_chainId"),
        post(proxy.urls[1], "eth_getBalance", wallet().address, "latest"),
    ]

    assert [bool(it.content) for it in asked] == [True, True, True, False]


def test_the_same_seed_decides_the_same_for_the_same_call_and_a_storm_only_adds() -> None:
    def fates(seed: int, factor: float, backwards: bool = False) -> list[bool]:
        faults = Faults(seed, {Fault.EMPTY: 0.2}, {})
        faults.factor = factor
        calls = [Call(0, "eth_getBlockByNumber", f"{it % 50}", it // 50) for it in range(1000)]
        decided = {id(it): faults.before(it) is not None for it in (reversed(calls) if backwards else calls)}
        return [decided[id(it)] for it in calls]

    calm, again, storm, other = fates(1, 1.0), fates(1, 1.0, backwards=True), fates(1, 2.0), fates(2, 1.0)

    assert calm == again, "neither the hour nor the order decides"
    assert calm != other
    assert all(later for earlier, later in zip(calm, storm, strict=True) if earlier)
    assert 100 < sum(calm) < 300 < sum(storm) < 500
    assert not any(fates(1, 0.0))


def test_every_fault_has_a_rate_or_is_for_several_endpoints_only() -> None:
    assert set(Fault) - set(RATES) == {Fault.WRONG_HEAD}
    assert set(OF_TRANSPORT) <= set(RATES)


def test_it_runs_as_a_process_of_its_own_and_obeys_commands(anvil: Anvil) -> None:
    command = [sys.executable, "-m", "chaos.rpc_proxy", anvil.url, "--endpoints", "2", "--calm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout is not None
            first, second = json.loads(process.stdout.readline())["urls"]
            httpx2.post(f"{first}/_chaos/arm", json={"fault": "html", "endpoint": 1}, trust_env=False)

            assert ask(first, "eth_chainId") == hex(31337)
            assert b"html" in post(second, "eth_chainId").content
            assert httpx2.get(f"{second}/_chaos/fired", trust_env=False).json() == {"html": 1}
            assert httpx2.get(f"{second}/_chaos/calls", trust_env=False).json() == {"eth_chainId": 2}
            assert httpx2.get(f"{second}/_chaos/journal", trust_env=False).json() == []
        finally:
            process.kill()
