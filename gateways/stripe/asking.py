"""One question to Stripe's client: an answer in our shape, or one of our errors and never the vendor's."""

from collections.abc import Callable
from typing import TypeVar

import stripe

from domain.errors import NeedsOperator, TryAgain
from domain.refunds import StatusReason
from gateways.stripe.answers import Shape, read_answer
from gateways.stripe.errors import Action, Refusal, translate

Result = TypeVar("Result")


def ask(call: Callable[[], Result]) -> Result:
    """Call the SDK; raise `TryAgain` or `Refusal`, outside the handler so that no vendor error hangs on."""
    try:
        return call()
    except stripe.StripeError as error:
        problem = translate(error)
    except (AttributeError, KeyError, TypeError, ValueError):
        # The SDK trips over some foreign bodies, such as {"error": "Bad Gateway"}: stripe-python 16.1.0.
        problem = TryAgain("Stripe sent an answer that its own client cannot read.")
    raise problem


def find(shape: type[Shape], call: Callable[[], object]) -> Shape | None:
    """Read one object; None only when Stripe itself says that there is no such thing."""
    try:
        return read_answer(shape, ask(call))
    except Refusal as refusal:
        if refusal.action == Action.MISSING:
            return None
        raise _unreadable(refusal) from None


def read(shape: type[Shape], call: Callable[[], object]) -> Shape:
    """Read what must be there; a definite no to a mere read is for a person to look at."""
    try:
        return read_answer(shape, ask(call))
    except Refusal as refusal:
        raise _unreadable(refusal) from None


def _unreadable(refusal: Refusal) -> NeedsOperator:
    return NeedsOperator(StatusReason.FACTS_UNAVAILABLE, f"The card payment cannot be read. {refusal}")
