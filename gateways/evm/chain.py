"""One EVM chain in our words: who sent a deposit, what a refund costs, and what became of the signed bytes."""

import itertools
import time
from collections.abc import Callable, Sequence

from eth_utils.crypto import keccak
from hexbytes import HexBytes

from domain.differences import SentTransfer
from domain.errors import InvalidRequest, NeedsOperator, TryAgain
from domain.payments import ChainPayment, ChainPaymentRef
from domain.refunds import StatusReason
from domain.transfers import (
    ForeignUse,
    Outgoing,
    SendAnswer,
    Sighting,
    SignedTransfer,
    Transfer,
    TransferTerms,
    WalletView,
)
from gateways.evm import departures, deposits, fees, sightings, tokens, trouble
from gateways.evm import terms as pricing
from gateways.evm.agreement import Answer, Endpoints, Member, likeliest
from gateways.evm.answers import read_send_error
from gateways.evm.evidence import agreed
from gateways.evm.guard import require_faithful, require_sane, require_sane_cancel
from gateways.evm.senders import NO_CODE, is_sanctioned
from gateways.evm.settings import PLAIN_TRANSFER_GAS, ChainSettings, checksummed
from gateways.evm.signer import Signer
from gateways.evm.transactions import TYPES, unsigned


class EvmChain:
    """Reads and pays on one chain through all of its endpoints; every call may be repeated.

    Raises `TryAgain` where the endpoints were unclear, `EndpointsDisagree` where they contradict each other, and
    `NeedsOperator` where waiting mends nothing, never an error of a library. Nobody is asked before its chain id was
    seen: at the start, every minute, and after each silence.
    """

    def __init__(self, settings: ChainSettings, signer: Signer, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._signer = signer
        self._endpoints = Endpoints(settings, clock)
        self._blocks = sightings.Blocks()
        self._receipts = sightings.Receipts()
        self._markets = fees.Markets(settings)
        self._readings = itertools.count(1)

    @property
    def wallet(self) -> str:
        """Return the wallet of which all counts and balances are told."""
        return self._settings.wallet

    @property
    def block_seconds(self) -> float | None:
        """Return how often this chain has a block, where the settings say so."""
        return self._settings.block_seconds

    def inspect(self) -> tuple[trouble.Trouble, ...]:
        """Compare the settings with what the endpoints say; at the start and for people. Raises nothing."""
        return trouble.inspect(self._endpoints, self._settings)

    def check(self) -> None:
        """Raise what `inspect` finds: `NeedsOperator` for what a person must mend, else `TryAgain`."""
        trouble.raise_worst(self.inspect())

    def read_deposit(self, payment: ChainPaymentRef) -> ChainPayment:
        """Tell what a deposit's own chain transaction says of it; the sender comes from nowhere else."""
        what = f"the deposit in chain transaction {payment.tx_hash[:66]}"
        answers = self._endpoints.judged(
            what, lambda member: deposits.read_deposit(member.node, self._settings, payment)
        )
        payment_of_all = agreed([it.value for it in answers])
        if payment_of_all is None:
            raise self._endpoints.disagreement(what, {it.member: _told(it.value) for it in answers})
        return payment_of_all

    def knows(self, tx_hash: str) -> bool:
        """Tell whether this chain has heard of a chain transaction: for a hash that its own chain does not know."""
        told = self._endpoints.ask(lambda it: it.node.receipt(tx_hash) or it.node.transaction(tx_hash))
        return any(it.value is not None for it in told)

    def terms(self, outgoing: Outgoing, view: WalletView | None = None) -> TransferTerms:
        """Quote a transfer from the wallet now. `NeedsOperator` where all say that the receiver refuses the money."""
        (quote,) = self.quotes([outgoing], view)
        if isinstance(quote, TransferTerms):
            return quote
        raise quote

    def quotes(
        self, outgoings: Sequence[Outgoing], view: WalletView | None = None
    ) -> list[TransferTerms | NeedsOperator | TryAgain]:
        """Quote several transfers from the wallet now, in their order; what keeps one from going stands in its place.

        Each is estimated, and a token's tried dry, by itself; endpoints are only asked all of it in one request.
        Transfers that are given the same view share what the endpoints tell of fees.
        """
        checked = [_checked(it) for it in outgoings]
        market = self._markets.of(view.reading if view is not None else 0)

        def quoted(member: Member) -> list[TransferTerms | NeedsOperator | TryAgain]:
            return pricing.terms_of_all(member, self._settings, checked, market(member.node))

        whats = [f"whether {it.to} can be paid" for it in checked]
        return [
            self._sanctioned(outgoing) or (it if isinstance(it, NeedsOperator | TryAgain) else _agreed_terms(it))
            for outgoing, it in zip(checked, self._endpoints.judged_each(whats, quoted), strict=True)
        ]

    def _sanctioned(self, outgoing: Outgoing) -> NeedsOperator | TryAgain | None:
        """Return what keeps a receiver from being paid whatever the chain says.

        A payout may wait for days, and the list is kept up meanwhile.
        """
        try:
            if not is_sanctioned(self._settings, outgoing.to):
                return None
        except TryAgain as error:
            return error
        return NeedsOperator(
            StatusReason.ROUTE_UNKNOWN,
            f"{outgoing.to} is on the list of sanctioned addresses for {self._settings.name}.",
        )

    def view(self, *, for_signing: bool = True) -> WalletView:
        """Read the wallet and its chain, for all payouts of a turn; `nonce_finalized` counts the last final block.

        One that is not for signing asks less, and no nonce is assigned by it.
        """
        reading = next(self._readings)
        seen = sightings.view(self._endpoints, self._settings.wallet, reading=reading, for_signing=for_signing)
        return seen.model_copy(update={"first_nonce": self._settings.first_nonce})

    def wallet_has_code(self) -> bool:
        """Tell whether code stands at the wallet, or a delegation to code (EIP-7702): it might spend by itself."""
        wallet = self._settings.wallet
        return self._endpoints.agreed(f"the code at {wallet}", lambda node: node.code(wallet)) != NO_CODE

    def token_balance(self, asset: str) -> int:
        """Return how much of a listed token the wallet owns, the least that any endpoint tells."""
        wallet = self._settings.wallet
        told = self._endpoints.ask(lambda it: tokens.balance(it.node, self._settings, asset, wallet))
        return min(it.value for it in told)

    def raised(self, terms: TransferTerms) -> TransferTerms | None:
        """Return terms that replace these at every node; None at the cap, where the old bytes go on being sent."""
        markets = self._endpoints.ask(lambda it: fees.market(it.node, self._settings))
        return fees.raised(terms, fees.middling([it.value for it in markets]), fees.caps(self._settings))

    def sign(self, transfer: Transfer) -> SignedTransfer:
        """Sign once; store the bytes before they are sent. Asks no endpoint."""
        require_sane(transfer, self._settings)
        return self._signed(transfer)

    def sign_cancel(self, transfer: Transfer) -> SignedTransfer:
        """Sign what closes a nonce: nothing, to the wallet itself, with just the gas that this takes."""
        terms = transfer.terms.model_copy(update={"gas": PLAIN_TRANSFER_GAS})
        cancelling = transfer.model_copy(update={"terms": terms})
        require_sane_cancel(cancelling, self._settings)
        return self._signed(cancelling)

    def _signed(self, transfer: Transfer) -> SignedTransfer:
        transaction_type = TYPES[self._settings.transaction_type]
        signed = self._signer.sign(unsigned(transfer, transfer.nonce, transfer.terms, transaction_type))
        require_faithful(transfer, transfer.nonce, signed, self._settings, transfer.terms)
        return signed

    def require_faithful(self, outgoing: Outgoing, nonce: int, signed: SignedTransfer) -> None:
        """Read stored bytes once more before they are first sent; `BytesDiffer` must stop the wallet."""
        require_faithful(outgoing, nonce, signed, self._settings)

    def broadcast(self, raw: bytes) -> SendAnswer:
        """Hand signed bytes to every endpoint, once. Any trouble is `UNCLEAR`: they may be in the pool."""

        def send(member: Member) -> SendAnswer:
            member.node.require_chain()
            reply = member.endpoint.ask("eth_sendRawTransaction", HexBytes(raw).to_0x_hex())
            if reply.error is not None:
                return read_send_error(reply.error)
            is_ours = reply.result == HexBytes(keccak(raw)).to_0x_hex()
            return SendAnswer.SEEN if is_ours else SendAnswer.UNCLEAR

        answers = self._endpoints.tell(send)
        return likeliest([SendAnswer.UNCLEAR if isinstance(it, TryAgain) else it for it in answers])

    def look(self, outgoing: Outgoing, tx_hash: str, view: WalletView | None = None) -> Sighting:
        """Look one of a payout's chain transactions up once. Not mined says nothing of whether it will be.

        Finality is judged by the heights of `view`, where one is given: older ones are the more careful. Receipts
        come after the heights and blocks come last, because what stands at a final height stays there. A receipt that
        was read before is read again only where it becomes final.
        """
        if view is None:
            heights, buried = sightings.heights(self._endpoints)
            final = heights.final
        else:
            final, buried = view.final_block, view.buried_block
        holds = self._blocks.of(view.reading if view is not None else 0)
        receipt = self._receipts.find(self._endpoints, tx_hash, holds, final)
        return sightings.sighting(receipt, outgoing, final, buried)

    def foreign_use(self, nonce: int, tx_hashes: tuple[str, ...]) -> ForeignUse | None:
        """Prove that something else finally used a nonce, or return None; every endpoint must answer for it."""
        use = sightings.foreign_use(self._endpoints, self._settings.wallet, nonce, tx_hashes)
        if use is None:
            return None
        try:
            found = self.find_transfer(nonce)
        except TryAgain:
            found = None  # the proof does not need its name
        return use.model_copy(update={"tx_hash": found.tx_hash if found else None})

    def read_transfer(self, tx_hash: str) -> SentTransfer | None:
        """Tell what a chain transaction moved and how final it is; None where no block holds it."""
        return departures.read_transfer(self._endpoints, self._settings, tx_hash)

    def find_transfer(self, nonce: int) -> SentTransfer | None:
        """Find what the wallet sent under a nonce; None where no endpoint can tell any more."""
        return departures.find_transfer(self._endpoints, self._settings, nonce)

    def stands(self, tx_hash: str) -> bool:
        """Tell whether a block of the chain holds a chain transaction that did not fail."""
        found = self.read_transfer(tx_hash)
        return found is not None and found.succeeded


def _checked(outgoing: Outgoing) -> Outgoing:
    try:
        return outgoing.model_copy(update={"to": checksummed(outgoing.to)})
    except ValueError:
        raise InvalidRequest("to", "address", "must be an address in EIP-55 form.") from None


def _agreed_terms(answers: Sequence[Answer[TransferTerms]]) -> TransferTerms:
    """Return the terms by which every endpoint would let the transfer pass."""
    quotes = [it.value for it in answers]
    # Too little gas would burn the fee and pay nobody; what is not used of too much costs nothing.
    return fees.middling(quotes).model_copy(update={"gas": max(it.gas for it in quotes)})


def _told(payment: ChainPayment) -> str:
    where = "in no block" if payment.block_number is None else f"in block {payment.block_number}"
    doubts = ", ".join((*payment.refuse, *payment.review)) or "no doubts"
    return f"{payment.settlement} {where}, {payment.amount_base_units} from {payment.sender}, {doubts}"
