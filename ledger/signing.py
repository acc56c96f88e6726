"""Nonces and signed bytes, stored together in one database transaction before anything is sent."""

from collections.abc import Mapping, Sequence

from domain.limits import Limits
from domain.outbox import Purpose, QuotedPayout, SentPayout, Sign, SignAnswer
from domain.policy import Policy
from domain.transfers import SignedTransfer, Transfer, TransferTerms, WalletView
from ledger import cases, wallets
from ledger.assigning import Group
from ledger.database import Database
from ledger.outbox import NO_LIMITS, outgoing_of, transactions_of
from ledger.signatures import Signature, store
from ledger.switches import is_stopped
from ledger.tables import Payout, Wallet


class Signing:
    """Assigns a payout its one nonce, and stores every further bytes under that same nonce."""

    def __init__(self, database: Database, policy: Policy, limits: Limits = NO_LIMITS) -> None:
        self._database = database
        self._policy = policy
        self._limits = limits

    def sign(
        self,
        quoted: Sequence[QuotedPayout],
        view: WalletView,
        sign: Sign,
        token_balances: Mapping[str, int] | None = None,
    ) -> list[SignAnswer]:
        """Assign the next nonces to payouts of one wallet and store the signed bytes, in one transaction.

        Each answer stands in its payout's place: the bytes, the signer's error, or None where it may not go now.
        `token_balances` is the wallet's, by the token's address. Run twice, the second finds the payouts signed and
        returns None for them: their bytes are there to be sent.
        """
        none: list[SignAnswer] = [None] * len(quoted)
        # What came after the view is for the next one, which then shows pool and balance.
        places = {(it.queued.outgoing.chain_id, it.queued.outgoing.wallet) for it in quoted}
        if not places or not view.is_for_signing:
            return none
        ((chain_id, address),) = places
        with self._database.write() as session:
            wallet = wallets.register(session, self._database, chain_id, address, view)
            if wallet is None or not wallets.check(session, self._database, wallet, view):
                return none
            if _is_used_by_others(wallet, view) or is_stopped(session, "crypto", chain_id):
                return none
            group = Group(
                session,
                self._database,
                self._policy,
                self._limits,
                wallet,
                view,
                quoted,
                token_balances or {},
            )
            return group.assign(sign)

    def raise_fee(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None:
        """Store bytes with higher fees under the same nonce; None where somebody did so before, or it was mined.

        They move what the newest ones move: the payout, or nothing where it is being cancelled.
        """
        return self._again(sent, terms, sign, sent.newest.purpose)

    def sign_cancel(self, sent: SentPayout, terms: TransferTerms, sign: Sign) -> SignedTransfer | None:
        """Store bytes that close the payout's nonce by moving nothing; only where a person asked for it."""
        if not sent.is_cancel_asked:
            return None
        return self._again(sent, terms, sign, Purpose.CANCEL)

    def _again(self, sent: SentPayout, terms: TransferTerms, sign: Sign, purpose: Purpose) -> SignedTransfer | None:
        with self._database.write() as session:
            payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
            stored = transactions_of(session, payout)
            # Compare and set: whoever looked at older bytes than the newest ones must look again.
            if stored[-1].sequence != sent.newest.sequence or payout.block_number is not None:
                return None
            if (payout.nonce, outgoing_of(payout)) != (sent.nonce, sent.outgoing):
                raise AssertionError(f"{payout.refund_id}/{payout.attempt}: a payout never changes what it moves")
            outgoing = sent.outgoing if purpose == Purpose.PAY else sent.outgoing.cancel
            signed = sign(Transfer(**outgoing.model_dump(), nonce=sent.nonce, terms=terms))
            row, sequence = cases.get(session, payout.refund_id), stored[-1].sequence + 1
            store(session, self._database, [Signature(row, payout, signed, terms, purpose, sequence)])
            return signed


def _is_used_by_others(wallet: Wallet, view: WalletView) -> bool:
    """Tell whether a node knows more nonces of the wallet than we assigned, in blocks or in its pool.

    Ours would be lost among them. Once they are final the wallet pauses; until then it only waits.
    """
    return max(view.nonce_latest, view.nonce_pending) > wallet.next_nonce
