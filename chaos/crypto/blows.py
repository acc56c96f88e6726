"""Blows against a chain and its endpoints. Each hits a payout on its way, or does not count."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from chaos.chance import choose, draw
from chaos.crypto.chain import WALLET_WEI, Chain
from chaos.crypto.evidence import nonce_of
from chaos.nemesis import Blow
from chaos.rpc_faults import OF_TRANSPORT, RATES, SEND, STORM_FACTOR, Arm, Fault
from chaos.rpc_journal import Raw
from chaos.waiting import InVain
from devstack.chain import AnvilFailed

STORM_SECONDS = 8.0
STALL_SECONDS = 5.0
DRAINED_SECONDS = 4.0
PAYOUT_SECONDS_MAX = 15.0  # for a payout to come to where a blow can hit it
POLL_SECONDS = 0.1
REORG_DEPTH_MAX = 3
SPIKE_FACTOR = 5
GWEI = 10**9
FEE_SECONDS = 2.0


class ChainBlows:
    """What can go wrong below the product: reorgs, blocks that do not come, an empty wallet, storms of faults."""

    def __init__(self, chain: Chain, seed: object, ending: threading.Event) -> None:
        self._chain, self._seed, self._ending = chain, seed, ending
        self._node = threading.Lock()  # no two blows change the node's clockwork at once
        self._fees = threading.Lock()
        self.reorged: set[int] = set()
        """The nonces of payouts that a reorg took out of a block; they may come back under bytes with another fee."""

    def against_chain(self) -> list[Blow]:
        """Return the blows against the chain itself."""
        return [
            *(Blow("reorg", self._with_node(partial(self._reorg, depth))) for depth in range(1, REORG_DEPTH_MAX + 1)),
            *(Blow("block_stall", self._with_node(self._stall)) for _ in range(2)),
            Blow("mempool_drop", self._with_node(self._drop)),
            Blow("base_fee_spike", self._with_node(self._spike)),
            Blow("older_bytes", self._with_node(self._older)),
            Blow("wallet_drained", self._with_node(self._drain)),
        ]

    def weather(self) -> list[Blow]:
        """Return the storms, and each fault of an endpoint once more than chance brings it."""
        kinds = [fault for fault in Fault if fault in RATES or len(self._chain.proxy.urls) > 1]
        return [
            *(Blow("rpc_storm", self._storm) for _ in range(2)),
            *(Blow("armed", partial(self._arm, fault)) for fault in kinds),
        ]

    def clear(self) -> None:
        """Let the weather be fine and the chain go on: what was armed is forgotten, the wallet is full."""
        self._chain.proxy.faults.factor = 0.0
        self._chain.proxy.faults.disarm()
        self._chain.make_blocks(1)
        self._fill()

    def keep_fees_moving(self) -> threading.Thread:
        """Let the base fee be another one every few seconds, as on a chain that others use.

        Left alone it would sink to nothing in empty blocks, and what is signed then would wait long afterwards.
        """

        def move() -> None:
            for number in range(10**6):
                fee = GWEI + int(GWEI * draw(self._seed, "fee", number))
                with self._fees:
                    try:
                        self._chain.anvil.call("anvil_setNextBlockBaseFeePerGas", hex(fee))
                    except OSError:
                        return  # the run ended, and the node with it
                if self._ending.wait(FEE_SECONDS):
                    return

        thread = threading.Thread(target=move, name="fees", daemon=True)
        thread.start()
        return thread

    def _with_node(self, act: Callable[[], None]) -> Callable[[], None]:
        def alone() -> None:
            with self._node:
                try:
                    act()
                finally:
                    self._chain.make_blocks(1)

        return alone

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PAYOUT_SECONDS_MAX
        while not condition():
            if time.monotonic() > deadline or self._ending.wait(POLL_SECONDS):
                raise InVain("a payout to hit")

    def _reorg(self, depth: int) -> None:
        """Replace the newest blocks: payouts leave them, and the pool too, or stand in other blocks afterwards."""

        def has_payouts() -> bool:
            head = self._chain.head()
            newest = range(head - depth + 1, head + 1)
            return bool(self._chain.payouts_in(newest))

        self._await(has_payouts)
        self._chain.make_blocks(0)
        head = self._chain.head()
        lost = self._chain.payouts_in(range(head - depth + 1, head + 1))
        # Who has not seen it in its block loses nothing by the reorg.
        self._await(lambda: any(it["hash"] in self._chain.proxy.journal.shown for it in lost))
        again = []
        if depth == REORG_DEPTH_MAX - 1:  # these come back by themselves, in another block
            raws = {it.tx_hash: it.raw for it in self._chain.proxy.journal.raws}
            lost_in_order = sorted(lost, key=lambda it: int(it["nonce"], 16))
            again = [[raws[it["hash"]], depth - 1] for it in lost_in_order if it["hash"] in raws]
        self._chain.anvil.call("anvil_reorg", depth, again)
        # An older state is back, and a wallet that was drained and filled since would be empty again.
        self._fill()
        self.reorged |= {int(it["nonce"], 16) for it in lost}

    def _stall(self) -> None:
        self._chain.make_blocks(0)
        self._ending.wait(STALL_SECONDS)

    def _drop(self) -> None:
        """Let a payout that waits for its block be forgotten."""
        self._chain.make_blocks(0)
        self._await(lambda: bool(self._chain.waiting_payouts()))
        dropped = choose(self._chain.waiting_payouts(), self._seed, "drop")
        if self._chain.anvil.call("anvil_dropTransaction", dropped["hash"]) is None:
            raise InVain("the node to drop it")

    def _spike(self) -> None:
        """Let the base fee jump above what waiting payouts offer."""
        self._chain.make_blocks(0)
        self._await(lambda: bool(self._chain.waiting_payouts()))
        offered = max(int(it["maxFeePerGas"], 16) for it in self._chain.waiting_payouts())
        with self._fees:
            self._chain.anvil.call("anvil_setNextBlockBaseFeePerGas", hex(SPIKE_FACTOR * offered // 2))
            self._chain.mine(1)

    def _older(self) -> None:
        """Let a block take the first bytes of a nonce whose fee was raised since: not every pool replaces them."""
        self._chain.make_blocks(0)
        self._await(lambda: len(self._bytes_of_the_head()) > 1)
        head = self._bytes_of_the_head()
        for it in head:
            with suppress(AnvilFailed):
                self._chain.anvil.call("anvil_dropTransaction", it.tx_hash)
        with self._fees, suppress(AnvilFailed):
            self._chain.anvil.call("anvil_setNextBlockBaseFeePerGas", "0x1")
            self._chain.anvil.call("eth_sendRawTransaction", head[0].raw)
            self._chain.mine(1)
        if self._chain.anvil.call("eth_getTransactionReceipt", head[0].tx_hash) is None:
            raise InVain("the older bytes to be in a block")

    def _bytes_of_the_head(self) -> list[Raw]:
        """List all that was signed for the lowest nonce that no block holds, the oldest first."""
        nonce = int(self._chain.anvil.call("eth_getTransactionCount", self._chain.wallet, "latest"), 16)
        return [it for it in self._chain.proxy.journal.raws if nonce_of(it.raw) == nonce]

    def _drain(self) -> None:
        self._chain.anvil.call("anvil_setBalance", self._chain.wallet, hex(GWEI))
        self._ending.wait(DRAINED_SECONDS)
        self._fill()

    def _fill(self) -> None:
        self._chain.anvil.call("anvil_setBalance", self._chain.wallet, hex(WALLET_WEI))

    def _storm(self) -> None:
        self._chain.proxy.faults.factor = STORM_FACTOR
        self._ending.wait(STORM_SECONDS)
        self._chain.proxy.faults.factor = 1.0

    def _arm(self, fault: Fault) -> None:
        endpoint = choose(range(len(self._chain.proxy.urls)), self._seed, "armed", fault)
        method = SEND if fault in OF_TRANSPORT else None  # reads have the base rates; what is sent is rare
        self._chain.proxy.faults.arm(Arm(fault, endpoint=endpoint, method=method))
