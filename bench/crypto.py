"""The crypto rail's figures: payouts of one wallet beside the node's own pace, calls and gas for each, a signature.

The pump is measured alone, on a ledger file and a node of its own: with Temporal around it a payout would wait for
the next turn, and what is measured would be the length of a turn.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eth_account import Account
from eth_keys.backends import get_backend
from hexbytes import HexBytes

from bench.figures import Figure
from bench.players import BenchFailedError
from bench.wallet_line import COIN_WEI, WalletLine, chain_settings, furnish, new_signer
from chaos.rpc_proxy import RpcProxy
from devstack import chain_tokens
from devstack.chain import CHAIN_ID, Anvil, account, anvil_command, depositor, free_port, wallet
from domain.outbox import IN_FLIGHT_MAX
from domain.payouts import PayoutStatus
from domain.policy import Policy
from domain.transfers import Transfer, TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.endpoint import Endpoint
from gateways.evm.settings import PLAIN_TRANSFER_GAS
from gateways.evm.signer import KeystoreSigner
from gateways.evm.transactions import TYPES, unsigned
from ledger.database import Database

ROUNDS, ROUNDS_MIN, ROUNDS_SECONDS_MAX = 8, 2, 30
SINGLES = 3
TURNS_MAX = 14  # the fifteenth turn looks at everything once more
SIGNATURES = 200
CALLS_MAX = 6
RATE_RATIO_MIN = 0.5
GWEI = 10**9
SEND = "eth_sendRawTransaction"


@dataclass(frozen=True)
class Place:
    """A node, its wallet's line, and the line's questions to the node, counted."""

    anvil: Anvil
    line: WalletLine
    proxied: WalletLine
    proxy: RpcProxy
    signer: KeystoreSigner


@dataclass(frozen=True)
class Followed:
    """What payouts that went together took from signing until they were buried."""

    refunds: list[str]
    calls: Counter[str]
    turns: int

    @property
    def calls_each(self) -> float:
        return self.calls.total() / len(self.refunds)

    def told(self) -> str:
        """Name the calls of one payout by their methods, the most frequent first."""
        each = ((method, number / len(self.refunds)) for method, number in self.calls.most_common())
        return f"{self.turns} turns; " + ", ".join(f"{method.removeprefix('eth_')} {it:.2f}" for method, it in each)


def measure(policy: Policy) -> list[Figure]:
    """Take every figure of the rail, one after the other."""
    with place(policy) as found:
        rate = throughput(found)
        together = follow(found, IN_FLIGHT_MAX)
        alone = [follow(found, 1) for _ in range(SINGLES)]
        single = sorted(alone, key=lambda it: it.calls_each)[SINGLES // 2]
        tokens = {it.symbol: follow(found, IN_FLIGHT_MAX, it) for it in chain_tokens.TOKENS}
        return [
            rate,
            _calls(f"RPC calls for a payout, {IN_FLIGHT_MAX} together", together, aim_max=CALLS_MAX),
            _calls("RPC calls for a payout alone", single),
            *(_calls(f"RPC calls for one of {IN_FLIGHT_MAX} in {name}", it) for name, it in tokens.items()),
            gas(found, together),
            *(_gas_of(found, f"gas for a payout in {name}", it.refunds) for name, it in tokens.items()),
            signature(found.signer),
        ]


@contextmanager
def place(policy: Policy) -> Iterator[Place]:
    """Start a node that makes a block for each chain transaction, and two lines on it: one counted, one not."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="refunds-bench-") as name,
        Anvil(anvil_command(port, None, block_time_seconds=None, slots_in_an_epoch=1), port) as anvil,
        RpcProxy(anvil.url, rates={}, send_rates={}) as proxy,
    ):
        folder = Path(name)
        chain_tokens.put(anvil.url)
        signer = new_signer(folder)
        direct = EvmChain(chain_settings(anvil.url), signer)
        counted = EvmChain(chain_settings(proxy.urls[0]), signer)
        database = Database(f"sqlite:///{folder / 'refunds.sqlite'}")
        furnish(database, policy)
        try:
            line = WalletLine(database, policy, anvil, direct, direct)
            counted.view()  # which chain it serves an endpoint is asked once a minute, and not for a payout
            yield Place(anvil, line, WalletLine(database, policy, anvil, counted, direct), proxy, signer)
        finally:
            database.close()


def throughput(place: Place) -> Figure:
    """Compare payouts with what the same node takes of transfers that are signed already, by turns.

    Both end when the node has taken the last of them; of ours each is quoted, signed and stored before that.
    """
    ours: list[float] = []
    bare: list[float] = []
    _node_takes(place, IN_FLIGHT_MAX)  # connections are made and code is warm
    began = time.monotonic()
    for number in range(ROUNDS + 1):
        if number > ROUNDS_MIN and time.monotonic() - began > ROUNDS_SECONDS_MAX:
            break
        refunds = place.line.queue(IN_FLIGHT_MAX)
        if number % 2:
            ours.append(_pump_takes(place, refunds))
            bare.append(_node_takes(place, IN_FLIGHT_MAX))
        else:
            bare.append(_node_takes(place, IN_FLIGHT_MAX))
            ours.append(_pump_takes(place, refunds))
        _bury(place, place.line, refunds)
    ours, bare = ours[1:], bare[1:]
    paces = sorted(theirs / mine for mine, theirs in zip(ours, bare, strict=True))
    return Figure(
        name="payouts through one wallet",
        unit="payouts/s",
        ours=IN_FLIGHT_MAX / median(ours),
        bare=IN_FLIGHT_MAX / median(bare),
        aim_min=RATE_RATIO_MIN,
        note=f"{len(paces)} pairs of {IN_FLIGHT_MAX}; from {paces[0]:.2f} to {paces[-1]:.2f}; the pump alone",
    )


def _pump_takes(place: Place, refunds: list[str]) -> float:
    began = time.perf_counter()
    place.line.turn(1)
    took = time.perf_counter() - began
    if any(it["nonce"] is None for it in place.line.payouts(refunds)):
        raise BenchFailedError("a payout got no nonce in its first turn")
    return took


def _node_takes(place: Place, transfers: int) -> float:
    """Send transfers that are signed already over one connection, as the pump does."""
    player, endpoint = account(5), Endpoint(place.anvil.url, chain_name="anvil")
    nonce = int(place.anvil.call("eth_getTransactionCount", player.address, "latest"), 16)
    fields = {
        "type": 2,
        "chainId": CHAIN_ID,
        "to": depositor().address,
        "value": 1,
        "gas": PLAIN_TRANSFER_GAS,
        "maxFeePerGas": 10 * GWEI,
        "maxPriorityFeePerGas": GWEI,
    }
    signed = [Account.sign_transaction(fields | {"nonce": nonce + it}, player.key) for it in range(transfers)]
    raws = [HexBytes(it.raw_transaction).to_0x_hex() for it in signed]
    endpoint.call("eth_chainId")
    began = time.perf_counter()
    for raw in raws:
        endpoint.call(SEND, raw)
    took = time.perf_counter() - began
    _mined(place.anvil, [it.hash.to_0x_hex() for it in signed])
    return took


def follow(place: Place, payouts: int, token: chain_tokens.LocalToken | None = None) -> Followed:
    """Count what payouts ask of the node while nothing goes wrong: they share a block, and each block has a turn."""
    refunds = place.line.queue(payouts, token)
    place.anvil.call("evm_setAutomine", False)
    before = Counter(place.proxy.journal.calls())
    try:
        turns = _bury(place, place.proxied, refunds)
    finally:
        place.anvil.call("evm_setAutomine", True)
    return Followed(refunds, Counter(place.proxy.journal.calls()) - before, turns)


def _bury(place: Place, line: WalletLine, refunds: list[str]) -> int:
    """Turn the pump once a block until nothing needs care any more; return how many turns that took."""
    for turn in range(TURNS_MAX):
        if line.turn(turn).open_payouts == 0:
            if any(it["status"] != PayoutStatus.SUCCEEDED for it in line.payouts(refunds)):
                raise BenchFailedError("a payout ended otherwise than paid")
            return turn + 1
        place.anvil.call("anvil_mine", "0x1")
    raise BenchFailedError(f"payouts were not buried after {TURNS_MAX} turns")


def _calls(name: str, followed: Followed, *, aim_max: float | None = None) -> Figure:
    return Figure(name=name, unit="calls", ours=followed.calls_each, aim_max=aim_max, note=followed.told())


def gas(place: Place, followed: Followed) -> Figure:
    """Compare the gas of a payout with what a plain transfer takes."""
    return _gas_of(place, "gas for a payout", followed.refunds, aim_max=1.0)


def _gas_of(place: Place, name: str, refunds: list[str], *, aim_max: float | None = None) -> Figure:
    hashes = [str(it["tx_hash"]) for it in place.line.payouts(refunds)]
    used = [int(it["gasUsed"], 16) for it in _mined(place.anvil, hashes)]
    limits = [int(place.anvil.call("eth_getTransactionByHash", it)["gas"], 16) for it in hashes]
    fields = {"from": account(5).address, "to": depositor().address, "value": "0x1"}
    (bare,) = _mined(place.anvil, [place.anvil.call("eth_sendTransaction", fields)])
    note = f"used by {len(used)}, at most {max(used)}; limit at most {max(limits)}; beside a transfer of coins"
    return Figure(name=name, unit="gas", ours=max(used), bare=int(bare["gasUsed"], 16), aim_max=aim_max, note=note)


def _mined(anvil: Anvil, hashes: list[str]) -> list[dict[str, Any]]:
    """Return the receipts, once all are there: anvil answers a send before it has mined it."""
    found: list[dict[str, Any]] = []
    for it in hashes:
        while (receipt := anvil.call("eth_getTransactionReceipt", it)) is None:
            continue
        found.append(receipt)
    return found


def signature(signer: KeystoreSigner) -> Figure:
    """Time the signature of a payout by itself."""
    terms = TransferTerms(gas=PLAIN_TRANSFER_GAS, max_fee_per_gas_wei=GWEI, max_priority_fee_per_gas_wei=GWEI)
    transfer = Transfer(
        chain_id=CHAIN_ID,
        wallet=wallet().address,
        to=depositor().address,
        amount_base_units=COIN_WEI,
        nonce=0,
        terms=terms,
    )
    taken = []
    for nonce in range(SIGNATURES):
        asked = unsigned(transfer, nonce, terms, TYPES["dynamic_fee"])
        began = time.perf_counter()
        signer.sign(asked)
        taken.append(time.perf_counter() - began)
    backend = type(get_backend()).__name__
    return Figure(name="a signature", unit="ms", ours=1000 * median(taken), note=f"{SIGNATURES} by {backend}")
