"""The Stripe simulator as Stripe's client for JavaScript sees it: the same as its client for Python does."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stripe

from tests.devstack.simulator import KEY, Simulator, pay, refund

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("stripe_node_calls.mjs")
SECONDS_MAX = 60
# The classes that both clients make of the same answer; a broken answer is named differently by each.
PYTHON_CLASS = {
    "StripeInvalidRequestError": stripe.InvalidRequestError,
    "StripeIdempotencyError": stripe.IdempotencyError,
    "StripeCardError": stripe.CardError,
    "StripeRateLimitError": stripe.RateLimitError,
    "StripeAuthenticationError": stripe.AuthenticationError,
    "StripePermissionError": stripe.PermissionError,
    "StripeAPIError": stripe.APIError,
    "StripeConnectionError": stripe.APIConnectionError,
}


@pytest.fixture
def seen(simulator: Simulator) -> Any:
    """What stripe-node saw."""
    # The one that came with the Python environment, unless the system has its own.
    node = shutil.which("node", path=os.pathsep.join((str(ROOT / ".venv" / "bin"), os.environ["PATH"])))
    assert node is not None, "neither the Python environment nor the system has Node"
    ended = subprocess.run(  # noqa: S603 # our script
        [node, str(SCRIPT), simulator.url, KEY], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_stripe_node_and_stripe_python_see_the_same(seen: Any, client: Any, simulator: Simulator) -> None:
    payment = client.v1.payment_intents.retrieve(seen["payment"])
    by_python = [one.id for one in client.v1.refunds.list({"payment_intent": payment.id, "limit": 100}).data]

    assert seen["api_version"] == stripe.api_version
    assert seen["replayed_id"] == seen["first"]["id"]
    assert seen["is_replayed"] == "true"
    # The first refund as each client read it, field by field.
    assert seen["first"] == client.v1.refunds.retrieve(seen["first"]["id"]).to_dict()
    assert seen["all"] == by_python
    assert len(by_python) == 5
    assert seen["pages"] == {"page": by_python[:2], "older": by_python[2:4]}
    assert seen["newer"] == by_python[:2]
    assert seen["has_more"] == [True, True]
    assert seen["expanded"] == 900
    assert_errors_agree(seen, client, simulator, payment)


def assert_errors_agree(seen: Any, client: Any, simulator: Simulator, payment: Any) -> None:
    errors = client.v1.refunds
    same_call: dict[str, Callable[[], object]] = {
        "mismatch": lambda: refund(client, payment, "node", amount=501, metadata={"refund_id": "rf_node"}),
        "too_much": lambda: refund(client, payment, amount=1101),
        "unknown_parameter": lambda: refund(client, payment, colour="red"),
        "missing": lambda: errors.retrieve("re_unknown"),
        "declined": lambda: pay(client, card="pm_card_chargeDeclined"),
        "card_refund_canceled": lambda: errors.cancel(seen["first"]["id"]),
    }
    for name, error in seen["errors"].items():
        httpx2.delete(f"{simulator.url}/_sim/faults")
        if name not in same_call:
            simulator.post("faults", kind=name, path_prefix="/v1/balance")
        with pytest.raises(stripe.StripeError) as caught:
            same_call.get(name, client.v1.balance.retrieve)()
        python_error = caught.value
        facts = python_error.error
        assert isinstance(python_error, stripe.StripeError), name
        if facts is None:
            # What is no answer of Stripe's at all must look like an unclear outcome to both.
            assert isinstance(python_error, stripe.APIError | stripe.APIConnectionError), name
            assert error["type"] in ("StripeAPIError", "StripeConnectionError", "StripeUnknownError"), name
            continue
        assert type(python_error) is PYTHON_CLASS[error["type"]], name
        assert error["status"] == python_error.http_status, name
        assert (error["code"], error["param"]) == (facts.code, getattr(facts, "param", None)), name
        assert error["message"] == facts.message, name
