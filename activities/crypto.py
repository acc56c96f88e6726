"""Steps on the crypto rail: wake the wallet, and the pump that signs, sends and looks."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from activities.outbox import Chain, Outbox, Sightings, Signing, Wallets
from activities.turn import Turn
from domain.errors import TryAgain
from domain.policy import Handling
from domain.refunds import RefundState
from domain.runs import PumpReport, RefundKey, WalletKey


class WalletRuns(Protocol):
    """Where wallet workflows are started and woken."""

    async def wake(self, key: WalletKey) -> None: ...


class Refunds(Protocol):
    """Where a refund's state is read."""

    def find(self, refund: str) -> RefundState | None: ...


class CryptoActivities:
    """Drives the outbox of chain payouts."""

    def __init__(
        self,
        *,
        chains: Mapping[int, Chain],
        outbox: Outbox,
        signing: Signing,
        sightings: Sightings,
        wallets: Wallets,
        refunds: Refunds,
        wallet_runs: WalletRuns,
        handling: Handling,
    ) -> None:
        self._chains = chains
        self._outbox = outbox
        self._signing = signing
        self._sightings = sightings
        self._wallets = wallets
        self._refunds = refunds
        self._wallet_runs = wallet_runs
        self._handling = handling

    @activity.defn
    async def wake_wallet(self, key: RefundKey) -> RefundState:
        """Start the wallet's workflow, or wake it, because its outbox holds this refund's payout."""
        refund = await asyncio.to_thread(translated(self._refunds.find), key.refund_id)
        if refund is None or refund.chain_id is None or refund.wallet is None:
            raise ValueError(f"{key.refund_id} has no chain payout")
        chain = self._chains.get(refund.chain_id)
        own_seconds = chain.block_seconds if chain is not None else None
        block_seconds = own_seconds or self._handling.wallet_block_seconds
        await self._wallet_runs.wake(
            WalletKey(chain_id=refund.chain_id, wallet=refund.wallet, block_seconds=block_seconds)
        )
        return refund

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def pump(self, key: WalletKey) -> PumpReport:
        """Turn the outbox once: see what became of what was sent, sign what waits, send what is in no block.

        Safe to run any number of times and twice at once: a nonce belongs to one payout for ever, and only
        stored bytes are ever sent. What is under way comes first: trouble with a new payout must not keep an
        older one from being seen.
        """
        turn = self._turn(key)
        turn.take_view()
        turn.look()
        turn.find_lost_nonces()
        turn.watch_wallet()
        turn.sign_waiting()
        turn.cancel_what_was_asked()
        turn.raise_head()
        turn.send_in_order()
        return turn.report()

    def _turn(self, key: WalletKey) -> Turn:
        chain = self._chains.get(key.chain_id)
        if chain is None:
            raise TryAgain(f"chain {key.chain_id} is not configured")
        return Turn(
            key=key,
            chain=chain,
            outbox=self._outbox,
            signing=self._signing,
            sightings=self._sightings,
            wallets=self._wallets,
            handling=self._handling,
        )
