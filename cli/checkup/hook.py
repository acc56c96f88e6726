"""How Stripe's webhooks are: is a signing secret set, and do events come?"""

from datetime import timedelta

from sqlalchemy import func, select

from cli.checkup.report import Check, ok, warning, wrong
from config import MissingSettingsError, Settings
from domain.refunds import Rail
from ledger.database import Database
from ledger.tables import CardEventRow, Payout

NAME = "stripe.hook"
SILENCE = timedelta(days=1)  # every card payout makes an event within seconds
LOOK_BACK = timedelta(days=7)
ENDPOINT = "See docs/deploying.md, the webhook endpoint. Refunds go on; what happens later is known later."


def examine(settings: Settings, database: Database) -> Check:
    """Judge what is set here and what came; the worker's environment holds no signing secret."""
    try:
        settings.require_hook()
    except MissingSettingsError as error:
        return wrong(NAME, error.problems[-1], "Say whose webhooks count; the API does not start without it.")
    with database.read() as session:
        newest = session.scalar(select(func.max(CardEventRow.received_at)))
        payout = session.scalar(select(func.max(Payout.begun_at)).where(Payout.rail == Rail.CARD))
        swept = session.scalar(
            select(func.count()).where(
                CardEventRow.came_by == "sweep", CardEventRow.received_at > database.now() - LOOK_BACK
            )
        )
    secrets = len(settings.stripe_webhook_secrets)
    is_api = settings.stripe_secret_key is None
    told = f"Signing secrets that are set here: {secrets}. " if is_api else ""
    told += f"The last event came {newest:%Y-%m-%d %H:%M} UTC." if newest else "No event came yet."
    if is_api and not secrets and payout is not None:
        return warning(NAME, told, f"REFUNDS_STRIPE_WEBHOOK_SECRET is not set for the API. {ENDPOINT}")
    if payout is not None and database.now() - payout > SILENCE and (newest is None or newest < payout):
        return warning(NAME, f"{told} Card payouts were made since.", f"No webhook comes through. {ENDPOINT}")
    if swept:
        missed = f"{told} Webhooks failed to bring {swept} of the last {LOOK_BACK.days} days."
        return warning(NAME, missed, "See in Stripe's dashboard why deliveries fail; the sweep took these in.")
    return ok(NAME, told)
