"""The crypto rail of a run: its chain, what can go wrong there, the replay of every signed payout, and the judge."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy.exc import SQLAlchemyError

from chaos.chance import shuffled
from chaos.crypto.blows import ChainBlows
from chaos.crypto.chain import WALLET_WEI, Chain
from chaos.crypto.evidence import AtRest, at_rest, collect, decoded, stored_hashes
from chaos.crypto.judge import Evidence, judge, judge_signatures
from chaos.judgement import Judgement
from chaos.nemesis import STOP_SECONDS, Blow
from chaos.people import People
from chaos.purses import Purse, Record
from chaos.rpc_faults import RATES, Fault
from devstack.chain import CHAIN_ID, AnvilFailed

OVER = ("refunded", "rejected", "withdrawn", "ineligible", "expired", "duplicate")
REPLAYS = 2
REPLAYED_IN_A_BLOCK = 16
STORED_SECONDS_MAX = 5.0  # before bytes are sent they are stored, so that what is not there after this never was


class CryptoRail:
    """A context manager; everything that a run needs of this rail."""

    subject = f"chain_{CHAIN_ID}"
    stop_point = "pump.broadcast.before"
    stop_seconds = STOP_SECONDS
    stories_share = 1.3  # people go on when the storm is over: a blow that found nothing to hit finds it then
    crash_points: tuple[tuple[str, str], ...] = (
        ("pump.sign.uncommitted", "raise"),
        ("pump.sign.committed", "kill"),
        ("pump.broadcast.after", "kill"),
        ("pump.see_mined.uncommitted", "raise"),
        ("pump.raise_fee.uncommitted", "raise"),
        ("pump.raise_fee.committed", "kill"),
        ("pump.see_final.committed", "kill"),
    )

    def __init__(self, folder: Path, *, seed: object, endpoints: int, **_: object) -> None:
        self._seed, self._endpoints = seed, endpoints
        self.chain = Chain(folder, seed=seed, endpoints=endpoints)
        self._blows: ChainBlows
        self._rest: AtRest
        self._first_nonce = 0

    def __enter__(self) -> Self:
        self.chain.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.chain.__exit__(kind, error, trace)

    def settings(self) -> dict[str, str]:
        """Return the environment that tells the product of this rail."""
        return self.chain.settings()

    def meet(self, people: People, database_url: str, api: str) -> None:
        """Do nothing: whoever acts on a chain calls no service."""

    def open_purses(self, count: int) -> list[Purse]:
        """Let customers pay; nothing goes wrong yet."""
        self.chain.proxy.faults.factor = 0.0
        return self.chain.open_purses(count)

    def lanes(self, ending: threading.Event) -> dict[str, list[Blow]]:
        """Let the storm begin: from now on the base rates hold, and these are the blows."""
        self._blows = ChainBlows(self.chain, self._seed, ending)
        self._blows.keep_fees_moving()
        self.chain.proxy.faults.factor = 1.0
        return {"chain": self._blows.against_chain(), "weather": self._blows.weather()}

    def payouts_made(self) -> int:
        """Count the payouts that the chain holds, whatever the product knows of them."""
        return len(self.chain.payouts_in(range(self.chain.head() + 1)))

    def is_over(self, refunds: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether no refund is open any more; nobody needs an operator here."""
        return all(it["status"] in OVER for it in refunds)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._blows.clear()

    def replay(self) -> None:
        """Hand every signed chain transaction that was ever seen to the node again, twice, and make blocks.

        What was swallowed, dropped or thought lost may still be cashed by anybody who saw it: it counts.
        """
        anvil = self.chain.anvil
        anvil.call("anvil_setBalance", self.chain.wallet, hex(WALLET_WEI))
        raws = self.chain.proxy.journal.raws
        for number in range(REPLAYS):
            for position, it in enumerate(shuffled(raws, self._seed, "replay", number)):
                if position % REPLAYED_IN_A_BLOCK == 0:
                    anvil.call("anvil_setNextBlockBaseFeePerGas", "0x1")
                    self.chain.mine(1)
                with suppress(AnvilFailed):  # most are known, or their nonce is used
                    anvil.call("eth_sendRawTransaction", it.raw)
            self.chain.mine(len(raws) // REPLAYED_IN_A_BLOCK + 2)

    def come_to_rest(self, records: Sequence[Record]) -> None:
        """Keep what the chain shows now: what needs the replay to be paid was lost."""
        self._rest = at_rest(self.chain, records)

    def is_broken(self, records: Sequence[Record], database_url: str) -> bool:
        """Tell whether something is certain already that no later moment can mend."""
        known_since = time.time() - STORED_SECONDS_MAX
        raws = [it for it in self.chain.proxy.journal.raws if it.first_seen_at < known_since]
        try:
            stored = stored_hashes(database_url)
        except SQLAlchemyError:
            return False  # the database is away
        signed = [decoded(it) for it in raws]
        if judge_signatures(self.chain.wallet, signed, stored):
            return True
        owners = {it.purse.owner.lower() for it in records} | {self.chain.wallet.lower()}
        if any(it.to.lower() not in owners for it in signed):
            return True
        return any(self.chain.owns(it.purse) > it.purse.left + it.purse.amount for it in records)

    def evidence(
        self, records: Sequence[Record], people: People, database_url: str, quiet_seconds: float | None
    ) -> Evidence:
        """Collect what is judged."""
        return collect(
            chain=self.chain,
            rest=self._rest,
            raws=self.chain.proxy.journal.raws,
            records=records,
            people=people,
            database_url=database_url,
            first_nonce=self._first_nonce,
            quiet_seconds=quiet_seconds,
        )

    def judge(self, evidence: Evidence) -> Judgement:
        """Count and compare."""
        return judge(evidence)

    def fired(self) -> Counter[str]:
        """Count the faults of endpoints by their kind."""
        return Counter({str(kind): number for kind, number in self.chain.proxy.faults.fired.items()})

    def not_reached(self, evidence: Evidence) -> list[str]:
        """Name what should have happened in a run that shows anything, and did not."""
        fired, raws = self.fired(), self.chain.proxy.journal.raws
        planned = [fault for fault in Fault if fault in RATES or self._endpoints > 1]
        missing = [f"the fault {fault}" for fault in planned if not fired[str(fault)]]
        if not any(len(it.fates) > 1 for it in raws):
            missing.append("a payout that was sent twice")
        if not self._blows.reorged & {move.nonce for move in evidence.moves}:
            missing.append("a payout that left its block and came back")
        return missing
