"""A deposit's chain transaction once it is final, and how what was found of it is said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.payments import ChainEvidence, ChainPayment, ChainPaymentRef, Settlement
from gateways.evm.node import ChainTransaction, Node, Receipt
from gateways.evm.settings import ChainSettings


@dataclass(frozen=True)
class Mined:
    """Everything that a judgement of one deposit reads, by one node."""

    node: Node
    settings: ChainSettings
    payment: ChainPaymentRef
    transaction: ChainTransaction
    receipt: Receipt

    def told(
        self,
        *,
        amount: int | None = None,
        sender: str | None = None,
        review: Iterable[str] = (),
        hold: Iterable[str] = (),
        refuse: Iterable[str] = (),
        seen: Mapping[str, object] | None = None,
    ) -> ChainPayment:
        """Say what was found, each reason once; `seen` is evidence, and what it does not name was not looked at."""
        always = {"block_hash": self.receipt.block_hash, "signer": self.transaction.sender}
        return ChainPayment(
            settlement=Settlement.FINAL,
            block_number=self.receipt.block_number,
            sender=sender,
            amount_base_units=amount,
            review=tuple(dict.fromkeys(review)),
            hold=tuple(dict.fromkeys(hold)),
            refuse=tuple(dict.fromkeys(refuse)),
            evidence=ChainEvidence.model_validate(always | dict(seen or {})),
        )
