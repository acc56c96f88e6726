"""One reconciliation: day by day at the card processor, page by page on each chain, then our own books."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.books import BooksActivities
from domain.book_runs import (
    WORKFLOW_TYPE,
    BooksOutcome,
    BooksPlan,
    ChainPage,
    CloseBooks,
    OpenBooks,
    ReconcileRequest,
    ScopeReport,
    reconciliation_of,
)
from workflows.policies import BOOKS, LEDGER


@workflow.defn(name=WORKFLOW_TYPE)
class ReconcileWorkflow:
    """One step at a time, so that it takes one of the worker's threads and refunds keep the others."""

    @workflow.run
    async def run(self, request: ReconcileRequest) -> BooksOutcome:
        """Compare everything that can be read; a place that cannot be read leaves the others compared."""
        asked = OpenBooks(
            reconciliation_id=request.reconciliation_id or reconciliation_of(workflow.info().workflow_id),
            days=request.days,
            grace_seconds=request.grace_seconds,
        )
        plan = await workflow.execute_activity_method(BooksActivities.open_books, asked, **LEDGER)
        scopes = [await self._card(plan)] if plan.has_card else []
        scopes += [await self._wallet(plan, chain_id) for chain_id in plan.chain_ids]
        scopes.append(await self._ledger(plan))
        scopes += [ScopeReport(scope=place).unread() for place in plan.unread]
        closing = CloseBooks(plan=plan, scopes=tuple(scopes))
        return await workflow.execute_activity_method(BooksActivities.close_books, closing, **LEDGER)

    async def _card(self, plan: BooksPlan) -> ScopeReport:
        report = ScopeReport(scope="card")
        try:
            for day in plan.card_days():
                report = report.plus(
                    await workflow.execute_activity_method(BooksActivities.compare_card_day, day, **BOOKS)
                )
        except ActivityError as error:
            return self._unread(report, error)
        return report

    async def _wallet(self, plan: BooksPlan, chain_id: int) -> ScopeReport:
        report, after_nonce, is_over = ScopeReport(scope=f"chain/{chain_id}"), None, False
        try:
            while not is_over:
                page = ChainPage(plan=plan, chain_id=chain_id, after_nonce=after_nonce)
                compared = await workflow.execute_activity_method(BooksActivities.compare_wallet, page, **BOOKS)
                report, after_nonce = report.plus(compared), compared.next_nonce
                is_over = after_nonce is None
        except ActivityError as error:
            return self._unread(report, error)
        return report

    async def _ledger(self, plan: BooksPlan) -> ScopeReport:
        report = ScopeReport(scope="ledger")
        try:
            return report.plus(await workflow.execute_activity_method(BooksActivities.compare_ledger, plan, **BOOKS))
        except ActivityError as error:
            return self._unread(report, error)

    def _unread(self, report: ScopeReport, error: ActivityError) -> ScopeReport:
        workflow.logger.error("reconciliation.unread scope=%s error=%s", report.scope, error.cause)
        return report.unread()
