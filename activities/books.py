"""Steps of a reconciliation: read card processor and chain, compare with our books, write down what differs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from temporalio import activity

from activities.errors import translated
from domain.book_runs import (
    DIFFERENCES_PER_PAGE_MAX,
    UNDER_WAY_NAMED_MAX,
    BooksOutcome,
    BooksPlan,
    CardDay,
    ChainPage,
    CloseBooks,
    OpenBooks,
    PageReport,
)
from domain.differences import (
    BookedDeposit,
    BookedPayout,
    Difference,
    Judgement,
    LikelyRefund,
    Moment,
    ProviderRefund,
    SentTransfer,
    UnderWay,
)
from domain.errors import TryAgain
from domain.reconciliation import (
    compare_card_payout,
    compare_card_refund,
    compare_chain_payout,
    compare_deposit,
    judge_stray_transfer,
)
from domain.transfers import WalletView

PAYOUTS_PER_PAGE = 200
STRAYS_MAX = 50  # each takes some dozen calls to find; a wallet that is used elsewhere shows long before
STRAYS_LISTED_MAX = 100_000


class CardBooks(Protocol):
    """The card processor, as far as it is compared with our books. Nothing here moves money."""

    def list_refunds(
        self, since: datetime, until: datetime | None, after: str | None
    ) -> tuple[tuple[ProviderRefund, ...], bool]: ...

    def find_refund(self, ref: str) -> ProviderRefund | None: ...


class ChainBooks(Protocol):
    """One chain, as far as what left the wallet is compared with our books."""

    def view(self) -> WalletView: ...

    def read_transfer(self, tx_hash: str) -> SentTransfer | None: ...

    def find_transfer(self, nonce: int) -> SentTransfer | None: ...

    def stands(self, tx_hash: str) -> bool: ...


class Booked(Protocol):
    """What our database says."""

    def deposits_of(self, payment_intents: Collection[str]) -> dict[str, BookedDeposit]: ...

    def deposit(self, deposit_id: str) -> BookedDeposit: ...

    def card_payouts(self, since: datetime, until: datetime | None) -> list[BookedPayout]: ...

    def wallet_payouts(
        self, chain_id: int, wallet: str, since: datetime, after_nonce: int | None, limit: int
    ) -> list[BookedPayout]: ...

    def watch_wallet(self, chain_id: int, wallet: str, view: WalletView) -> None: ...

    def stray_nonces(self, chain_id: int, wallet: str, below: int, limit: int) -> list[int]: ...

    def known_strays(self, chain_id: int, wallet: str) -> dict[int, Difference]: ...

    def likely(
        self, chain_id: int, to: str | None, asset: str, amount_base_units: int
    ) -> tuple[LikelyRefund, ...]: ...

    def judge_refunds(self, moment: Moment) -> list[Judgement]: ...

    def judge_books(self) -> Iterable[Judgement]: ...

    def places(self, since: datetime) -> list[tuple[str, int | None, str | None]]: ...


class Reconciliations(Protocol):
    """Where reconciliations and their findings are written."""

    def open(self, asked: OpenBooks) -> tuple[datetime, datetime]: ...

    def note(self, scope: str, differences: Sequence[Difference]) -> None: ...

    def still_open(self, keys: Collection[str]) -> list[str]: ...

    def close(self, asked: CloseBooks) -> BooksOutcome: ...


class BooksActivities:
    """Compares. The outside is always read before the books: what is booked meanwhile must not look unbooked."""

    def __init__(
        self,
        *,
        card: CardBooks | None,
        chains: Mapping[int, ChainBooks],
        wallets: Mapping[int, str],
        booked: Booked,
        reconciliations: Reconciliations,
    ) -> None:
        self._card = card
        self._chains = chains
        self._wallets = wallets
        self._booked = booked
        self._reconciliations = reconciliations

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def open_books(self, asked: OpenBooks) -> BooksPlan:
        """Begin, and say what this worker can compare."""
        since, now = self._reconciliations.open(asked)
        return BooksPlan(
            reconciliation_id=asked.reconciliation_id,
            since=since,
            now=now,
            grace_seconds=asked.grace_seconds,
            has_card=self._card is not None,
            chain_ids=tuple(sorted(self._chains)),
            unread=tuple(self._unread(since)),
        )

    def _unread(self, since: datetime) -> Iterable[str]:
        """Name where the books say that something was paid and this worker cannot look."""
        for rail, chain_id, wallet in self._booked.places(since):
            if chain_id is None:
                yield from () if self._card is not None else (rail,)
            elif chain_id not in self._chains:
                yield f"chain/{chain_id}"
            elif wallet != self._wallets.get(chain_id):
                yield f"chain/{chain_id}/{wallet}"

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def compare_card_day(self, day: CardDay) -> PageReport:
        """Compare all refunds that the processor made in a day, then the payouts of that day that it did not show."""
        moment = _moment(day.plan)
        judged: list[Judgement] = []
        shown: set[str] = set()
        after, has_more = None, True
        while has_more:
            page, has_more = self._processor.list_refunds(day.since, day.until, after)
            judged += self._judge_card_page(page, moment)
            shown.update(it.ref for it in page)
            after = page[-1].ref if page else None
        payouts = self._booked.card_payouts(day.since, day.until)
        unseen = [it for it in payouts if it.provider_ref not in shown]
        judged += [self._judge_unseen(it, moment) for it in unseen]
        return self._write("card", judged, compared=len(shown) + len(unseen))

    def _judge_card_page(self, page: Sequence[ProviderRefund], moment: Moment) -> list[Judgement]:
        deposits = self._booked.deposits_of({it.payment_intent for it in page if it.payment_intent})
        return [self._judge_card_refund(it, deposits.get(it.payment_intent or ""), moment) for it in page]

    def _judge_card_refund(self, seen: ProviderRefund, deposit: BookedDeposit | None, moment: Moment) -> Judgement:
        """Judge one refund; what looks wrong is read again on both sides before anybody hears of it."""
        judgement = compare_card_refund(seen, deposit, moment)
        if not isinstance(judgement, Difference):
            return judgement
        again = self._processor.find_refund(seen.ref) or seen
        return compare_card_refund(again, deposit and self._booked.deposit(deposit.deposit_id), moment)

    def _judge_unseen(self, payout: BookedPayout, moment: Moment) -> Judgement:
        """Judge a payout that the list did not show: it is asked for by its reference, which alone is proof."""
        seen = self._processor.find_refund(payout.provider_ref) if payout.provider_ref else None
        deposit = self._booked.deposit(payout.deposit_id)
        if seen is not None:
            return compare_card_refund(seen, deposit, moment)
        now = next((it for it in deposit.payouts if it.attempt == payout.attempt), payout)
        if now.provider_ref != payout.provider_ref:
            return UnderWay(now.refund_id)  # its refund came to be known only now; the next reconciliation sees it
        return compare_card_payout(now, moment)

    @property
    def _processor(self) -> CardBooks:
        if self._card is None:
            raise TryAgain("the card rail is not configured")
        return self._card

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def compare_wallet(self, page: ChainPage) -> PageReport:
        """Compare one page of a wallet's payouts with the chain; the first page names what else left the wallet."""
        chain, wallet = self._chains.get(page.chain_id), self._wallets.get(page.chain_id)
        if chain is None or wallet is None:
            raise TryAgain(f"chain {page.chain_id} is not configured")
        moment = _moment(page.plan)
        view = chain.view()
        judged: list[Judgement] = []
        known: list[Judgement] = []
        if page.after_nonce is None:
            self._booked.watch_wallet(page.chain_id, wallet, view)
            judged, known = self._judge_strays(chain, page.chain_id, wallet, view.nonce_finalized)
        payouts = self._booked.wallet_payouts(
            page.chain_id, wallet, page.plan.since, page.after_nonce, PAYOUTS_PER_PAGE
        )
        judged += [self._judge_chain_payout(chain, it, view.nonce_finalized, moment) for it in payouts]
        is_last = len(payouts) < PAYOUTS_PER_PAGE
        # What is known stands last: were it more than a page may name, nothing new would ever be written down.
        report = self._write(f"chain/{page.chain_id}", [*judged, *known], compared=len(payouts))
        return report.model_copy(update={"next_nonce": None if is_last else payouts[-1].nonce})

    def _judge_strays(
        self, chain: ChainBooks, chain_id: int, wallet: str, below: int
    ) -> tuple[list[Judgement], list[Judgement]]:
        """Judge what left the wallet under foreign nonces: first what nobody has asked about, then what has no name.

        What is known of the others comes beside it, to be said again, so that nobody takes it for gone.
        """
        strays = self._booked.stray_nonces(chain_id, wallet, below, STRAYS_LISTED_MAX)
        found = self._booked.known_strays(chain_id, wallet)
        known = {nonce: found[nonce] for nonce in strays if nonce in found}
        taken = {it.refund_id for it in known.values()}
        unnamed = [nonce for nonce, it in known.items() if it.refund_id is None]
        judged: dict[int, Judgement] = {}
        for nonce in [*(it for it in strays if it not in known), *unnamed][:STRAYS_MAX]:
            transfer = chain.find_transfer(nonce)
            moved = transfer is not None and transfer.succeeded
            likely: tuple[LikelyRefund, ...] = ()
            if transfer is not None and moved:
                likely = self._booked.likely(chain_id, transfer.to, transfer.asset, transfer.amount_base_units)
            # Two payments of one amount to one receiver are those of two refunds, and each must keep its own.
            free = tuple(it for it in likely if it.is_paid or it.refund_id not in taken)
            difference = judge_stray_transfer(chain_id, wallet, nonce, transfer, free)
            taken.add(difference.refund_id)
            judged[nonce] = difference
        return list(judged.values()), [it for nonce, it in known.items() if nonce not in judged]

    def _judge_chain_payout(
        self, chain: ChainBooks, payout: BookedPayout, nonce_finalized: int, moment: Moment
    ) -> Judgement:
        """Judge one payout; the deposit is read after the chain, and what looks wrong is looked at once more."""
        judgement: Judgement = None
        for _ in range(2):
            seen = (chain.read_transfer(tx_hash) for tx_hash in payout.tx_hashes)
            landed = next((it for it in seen if it is not None), None)
            deposit = self._booked.deposit(payout.deposit_id)
            now = next((it for it in deposit.payouts if it.attempt == payout.attempt), payout)
            is_nonce_used = now.nonce is not None and now.nonce < nonce_finalized
            judgement = compare_chain_payout(now, deposit, landed, moment, is_nonce_used=is_nonce_used)
            if judgement is None and deposit.payment_tx_hash is not None:
                judgement = compare_deposit(now, deposit, stands=chain.stands(deposit.payment_tx_hash))
            if not isinstance(judgement, Difference):
                return judgement
        return judgement

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def compare_ledger(self, plan: BooksPlan) -> PageReport:
        """Judge our own holds, the progress of open refunds, and the books of every deposit."""
        judged = [*self._booked.judge_refunds(_moment(plan)), *self._booked.judge_books()]
        return self._write("ledger", judged, compared=len(judged))

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def close_books(self, asked: CloseBooks) -> BooksOutcome:
        """Write the report."""
        return self._reconciliations.close(asked)

    def _write(self, scope: str, judged: Sequence[Judgement], *, compared: int) -> PageReport:
        """Write the findings down, and hand their names on. More than a page may name are left for the next run."""
        differences = [it for it in judged if isinstance(it, Difference)]
        under_way = [it.refund_id for it in judged if isinstance(it, UnderWay)]
        matters = [it.matter for it in judged if isinstance(it, UnderWay) and it.matter is not None]
        named = differences[:DIFFERENCES_PER_PAGE_MAX]
        self._reconciliations.note(scope, named)
        return PageReport(
            compared=compared,
            under_way_count=len(under_way),
            under_way=tuple(it for it in under_way if it is not None)[:UNDER_WAY_NAMED_MAX],
            keys=tuple(it.key for it in named),
            kept=tuple(self._reconciliations.still_open(matters)),
            is_whole=len(named) == len(differences),
        )


def _moment(plan: BooksPlan) -> Moment:
    return Moment(now=plan.now, grace=timedelta(seconds=plan.grace_seconds))
