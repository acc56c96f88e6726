"""A wallet's line of payouts, turned by hand: each turn is one run of the pump."""

from dataclasses import dataclass

from domain.payouts import PayoutStatus
from domain.runs import PumpReport
from ledger.tables import ChainTransaction, Wallet
from tests.activities.steps import Steps
from tests.fakes import CHAIN_ID, SENDER, WALLET, FakeChain
from tests.workflows.house import COIN, chain_hash


@dataclass
class Line:
    """Refunds that only need the wallet, and what became of their nonces."""

    steps: Steps

    def __post_init__(self) -> None:
        self.house = self.steps.house
        self.chain.mines_at_once = False

    @property
    def chain(self) -> FakeChain:
        return self.house.chain

    def queue(self, name: str = "dep_1", sender: str = SENDER) -> str:
        """Bring the refund of a new deposit to its queued payout."""
        self.house.deposit(name, rail="crypto")
        self.chain.add_deposit(chain_hash(name), COIN, sender=sender)
        refund = self.house.accept(name, rail="crypto", deposit_id=name)
        self.steps.check(refund)
        self.house.approve(refund)
        self.steps.begin(refund)
        return refund

    def reverted(self) -> str:
        """Pay a refund in vain, in a final block that may still be left; return it."""
        refund = self.queue()
        self.turn()
        self.chain.mines_without_moving = True
        self.chain.mine(self.hashes(refund)[0], is_buried=False)
        self.turn()
        assert self.status(refund)[2] == PayoutStatus.REVERTED
        return refund

    def turn(self, turn: int = 0) -> PumpReport:
        report: PumpReport = self.steps.pump("", turn)
        return report

    def wait(self, seconds: float = 46, blocks: int = 3) -> None:
        """Let time pass and blocks be made, in which nothing of ours is."""
        self.house.clock.advance(seconds)
        self.chain.head += blocks

    def stored(self, refund: str, attempt: int = 1) -> list[ChainTransaction]:
        with self.house.database.read() as session:
            mine = session.query(ChainTransaction).filter_by(refund_id=refund, attempt=attempt)
            return mine.order_by(ChainTransaction.sequence).all()

    def hashes(self, refund: str) -> list[str]:
        return [it.tx_hash for it in self.stored(refund)]

    def status(self, refund: str) -> tuple[str, str | None, PayoutStatus]:
        seen = self.house.see(refund)
        return seen["status"], seen["status_reason"], PayoutStatus(seen["payouts"][-1]["status"])

    def nonce(self, refund: str) -> int | None:
        nonce: int | None = self.house.see(refund)["payouts"][-1]["nonce"]
        return nonce

    def pause_reason(self) -> str | None:
        with self.house.database.read() as session:
            wallet = session.get(Wallet, (CHAIN_ID, WALLET))
            return wallet.pause_reason if wallet else None
