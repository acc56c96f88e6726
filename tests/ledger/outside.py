"""Card processor and chain as a reconciliation reads them; a test writes by hand what they show."""

from datetime import timedelta
from typing import Any

from domain.differences import ProviderRefund, SentTransfer
from domain.money import NATIVE
from domain.transfers import WalletView
from tests.ledger.scene import COIN, SENDER, Scene

HOUR = timedelta(hours=1)


class Outside:
    """What card processor and chain show; a test writes it by hand."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.refunds: list[ProviderRefund] = []
        self.transfers: dict[str, SentTransfer] = {}
        self.gone: set[str] = set()
        """Payments of deposits that a reorg took away."""
        self.nonce = 0
        self.first_nonce = 0

    def list_refunds(self, since: Any, until: Any, after: str | None) -> tuple[tuple[ProviderRefund, ...], bool]:
        """Give one refund a page."""
        inside = [it for it in self.refunds if since <= it.created_at and (until is None or it.created_at < until)]
        refs = [it.ref for it in inside]
        left = inside[refs.index(after) + 1 :] if after in refs else inside
        return tuple(left[:1]), len(left) > 1

    def find_refund(self, ref: str) -> ProviderRefund | None:
        return next((it for it in self.refunds if it.ref == ref), None)

    def view(self) -> WalletView:
        return WalletView(
            nonce_pending=self.nonce,
            nonce_latest=self.nonce,
            nonce_finalized=self.nonce,
            balance_base_units=COIN,
            first_nonce=self.first_nonce,
        )

    def read_transfer(self, tx_hash: str) -> SentTransfer | None:
        return self.transfers.get(tx_hash)

    def find_transfer(self, nonce: int) -> SentTransfer | None:
        return next((it for it in self.transfers.values() if it.nonce == nonce), None)

    def stands(self, tx_hash: str) -> bool:
        return tx_hash not in self.gone

    def pays(self, payment: str, ref: str = "re_x", **changes: Any) -> None:
        fields: dict[str, Any] = {"amount_minor": 2000, "currency": "USD", "is_live": True, "is_done": True}
        fields["created_at"] = self.scene.clock() - HOUR
        self.refunds.insert(0, ProviderRefund(ref=ref, payment_intent=payment, **(fields | changes)))

    def sends(
        self,
        nonce: int,
        *,
        to: str = SENDER,
        asset: str = NATIVE,
        amount: int = 25 * COIN,
        tx_hash: str | None = None,
    ) -> None:
        self.transfers[tx_hash or f"0x{nonce:064x}"] = SentTransfer(
            tx_hash=tx_hash or f"0x{nonce:064x}",
            nonce=nonce,
            to=to,
            asset=asset,
            amount_base_units=amount,
            succeeded=True,
            is_final=True,
            block_number=9,
        )
        self.nonce = max(self.nonce, nonce + 1)
