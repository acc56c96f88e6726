"""What a wallet can still pay: its balances, less all that is on its way and what must stay in it."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.limits import Limits
from domain.money import NATIVE
from domain.transfers import Outgoing, TransferTerms, WalletView
from ledger.database import Database
from ledger.findings import open_finding
from ledger.outbox import outgoing_of
from ledger.tables import ChainTransaction, Payout, Wallet


class Funds:
    """One wallet's money in one database transaction; what is promised there is counted from then on."""

    def __init__(
        self,
        session: Session,
        database: Database,
        limits: Limits,
        wallet: Wallet,
        view: WalletView,
        token_balances: Mapping[str, int],
    ) -> None:
        """`token_balances` holds, by its address, what the wallet owns of each token that is to be paid."""
        self._session = session
        self._database = database
        self._limits = limits
        self._wallet = wallet
        self._balances = {**token_balances, NATIVE: view.balance_base_units}
        self._needed = _needed(session, wallet, view)

    def suffice(self, outgoing: Outgoing, terms: TransferTerms) -> bool:
        """Tell whether the wallet holds this payout, all that the view's balance does not show yet, and its floor."""
        needed = self._with(outgoing, terms)
        for asset in {NATIVE, outgoing.asset}:
            wanted = needed[asset] + self._limits.of(self._wallet.chain_id, asset).balance_floor
            if wanted > self._balances.get(asset, 0):
                self._tell_shortage(asset, wanted)
                return False
        return True

    def promise(self, outgoing: Outgoing, terms: TransferTerms) -> None:
        """Count a payout that got its nonce in this database transaction."""
        self._needed = self._with(outgoing, terms)

    def _with(self, outgoing: Outgoing, terms: TransferTerms) -> dict[str, int]:
        needed = self._needed.copy()
        needed[NATIVE] += terms.fee_wei_max
        needed[outgoing.asset] += outgoing.amount_base_units
        return needed

    def _tell_shortage(self, asset: str, needed: int) -> None:
        """Write once per day and asset that the wallet cannot pay what is approved."""
        wallet = self._wallet
        open_finding(
            self._session,
            self._database,
            kind=FindingKind.WALLET_LOW,
            key=f"wallet_low/{wallet.chain_id}/{wallet.address}/{asset}/{self._database.now():%Y-%m-%d}",
            evidence={
                "chain_id": wallet.chain_id,
                "wallet": wallet.address,
                "asset": asset,
                "needed_base_units": str(needed),
                "balance_base_units": str(self._balances.get(asset, 0)),
            },
        )


def _needed(session: Session, wallet: Wallet, view: WalletView) -> dict[str, int]:
    """Sum up, by asset, what is signed and not in the view's balance yet, each with the dearest of its fees."""
    in_flight = session.scalars(
        select(Payout).where(
            Payout.chain_id == wallet.chain_id, Payout.wallet == wallet.address, Payout.nonce >= view.nonce_latest
        )
    ).all()
    needed: dict[str, int] = defaultdict(int)
    fees: dict[tuple[str, int], int] = defaultdict(int)
    signed = select(ChainTransaction).where(ChainTransaction.refund_id.in_([it.refund_id for it in in_flight]))
    for it in session.scalars(signed):
        key, fee = (it.refund_id, it.attempt), TransferTerms.model_validate(it.terms).fee_wei_max
        fees[key] = max(fees[key], fee)
    for payout in in_flight:
        outgoing = outgoing_of(payout)
        needed[NATIVE] += fees[payout.refund_id, payout.attempt]
        needed[outgoing.asset] += outgoing.amount_base_units
    return needed
