"""One EVM chain in our words: who sent a deposit, what a refund costs, and what became of the signed bytes."""

from eth_utils.crypto import keccak
from hexbytes import HexBytes

from domain.differences import SentTransfer
from domain.errors import InvalidRequest, NeedsOperator, TryAgain
from domain.payments import ChainPayment, ChainPaymentRef
from domain.refunds import StatusReason
from domain.transfers import Outgoing, SendAnswer, Sighting, SignedTransfer, Transfer, TransferTerms, WalletView
from gateways.evm import departures, deposits
from gateways.evm import terms as pricing
from gateways.evm.answers import read_send_error
from gateways.evm.endpoint import Endpoint
from gateways.evm.guard import require_faithful, require_sane
from gateways.evm.node import Node
from gateways.evm.settings import ChainSettings, checksummed
from gateways.evm.signer import Signer


class EvmChain:
    """Reads and pays on one chain through its first endpoint; every call may be repeated.

    Raises `TryAgain` where the endpoint was unclear and `NeedsOperator` where waiting mends nothing, never
    an error of a library. Each call makes sure of the endpoint's chain id first: an answer about another
    chain would be believed.
    """

    def __init__(self, settings: ChainSettings, signer: Signer) -> None:
        self._settings = settings
        self._signer = signer
        self._endpoint = Endpoint(settings.rpc_urls[0], chain_name=settings.name)
        self._node = Node(self._endpoint, settings)

    def check(self) -> None:
        """Make sure that endpoint and wallet fit the settings; for the start, and now and then."""
        settings = self._settings
        found = self._node.chain_id()
        if found != settings.chain_id:
            raise NeedsOperator(
                StatusReason.FACTS_UNAVAILABLE,
                f"The {settings.name} endpoint serves chain {found} instead of {settings.chain_id}.",
            )
        if self._node.code(settings.wallet) != deposits.NO_CODE:
            # Nodes keep one chain transaction in flight for such a wallet, and its code may spend by itself.
            raise NeedsOperator(
                StatusReason.RAIL_STOPPED,
                f"The wallet {settings.wallet} on {settings.name} has code; refunds need a wallet without.",
            )

    def read_deposit(self, payment: ChainPaymentRef) -> ChainPayment:
        """Tell what a deposit's own chain transaction says of it; the sender comes from nowhere else."""
        return deposits.read_deposit(self._node, self._settings, payment)

    def terms(self, outgoing: Outgoing) -> TransferTerms:
        """Quote a transfer from the wallet now. `NeedsOperator` where the receiver refuses the money."""
        try:
            receiver = checksummed(outgoing.to)
        except ValueError:
            raise InvalidRequest("to", "address", "must be an address in EIP-55 form.") from None
        self._node.require_chain()
        return pricing.terms(self._endpoint, self._node, self._settings, receiver, outgoing.amount_base_units)

    def wallet_view(self) -> WalletView:
        """Read the wallet's counts and balance; `nonce_finalized` is the count at the last final block."""
        wallet = self._settings.wallet
        self._node.require_chain()
        final = self._node.heights().final
        return WalletView(
            nonce_finalized=self._node.transaction_count(wallet, hex(final)) if final >= 0 else 0,
            nonce_pending=self._node.transaction_count(wallet, "pending"),
            balance_base_units=self._node.balance(wallet),
        )

    def sign(self, transfer: Transfer) -> SignedTransfer:
        """Sign once; store the bytes before they are sent. Asks no endpoint."""
        require_sane(transfer, self._settings)
        signed = self._signer.sign(transfer)
        require_faithful(transfer, signed, self._settings)
        return signed

    def broadcast(self, raw: bytes) -> SendAnswer:
        """Hand signed bytes to the endpoint, once. Any trouble is `UNCLEAR`: they may be in the pool."""
        try:
            self._node.require_chain()
            reply = self._endpoint.ask("eth_sendRawTransaction", HexBytes(raw).to_0x_hex())
        except TryAgain:
            return SendAnswer.UNCLEAR
        if reply.error is not None:
            return read_send_error(reply.error)
        is_ours = reply.result == HexBytes(keccak(raw)).to_0x_hex()
        return SendAnswer.SEEN if is_ours else SendAnswer.UNCLEAR

    def look(self, outgoing: Outgoing, tx_hash: str) -> Sighting:
        """Look one of a payout's chain transactions up once. Not mined says nothing of whether it will be."""
        self._node.require_chain()
        receipt = self._node.receipt(tx_hash)
        if receipt is None:
            return Sighting(is_mined=False)
        heights = self._node.heights()
        # Asked last: once a height is final, what stands there stays.
        if not self._node.is_canonical(receipt.block_number, receipt.block_hash):
            return Sighting(is_mined=False)
        return Sighting(
            is_mined=True,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            succeeded=receipt.status == 1,
            is_final=receipt.block_number <= heights.final,
            is_buried=receipt.block_number <= heights.buried,
        )

    def read_transfer(self, tx_hash: str) -> SentTransfer | None:
        """Tell what a chain transaction moved and how final it is; None where no block holds it."""
        return departures.read_transfer(self._node, tx_hash)

    def find_transfer(self, nonce: int) -> SentTransfer | None:
        """Find what the wallet sent under a nonce; None where this endpoint cannot tell any more."""
        return departures.find_transfer(self._node, self._settings, nonce)
