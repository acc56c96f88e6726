"""Webhooks, events, disputes and warnings of the simulator, read by both of Stripe's own clients."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.devstack.receiver import Receiver
from tests.devstack.simulator import KEY, Simulator, pay, refund

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("stripe_node_events.mjs")
SECRET = "whsec_of_both_clients"
SECONDS_MAX = 60
KINDS = ["refund.created", "charge.dispute.created", "refund.failed", "radar.early_fraud_warning.created"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


def by_node(simulator: Simulator, told: dict[str, Any]) -> Any:
    """Let stripe-node verify and read, and return what it saw."""
    node = shutil.which("node", path=os.pathsep.join((str(ROOT / ".venv" / "bin"), os.environ["PATH"])))
    assert node is not None, "neither the Python environment nor the system has Node"
    ended = subprocess.run(  # noqa: S603 # our script
        [node, str(SCRIPT), simulator.url, KEY],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_both_clients_verify_the_same_webhooks_and_read_the_same_objects(
    simulator: Simulator, client: Any, receiver: Receiver
) -> None:
    simulator.post("webhooks/targets", url=receiver.url, secrets=[SECRET], enabled_events=KINDS)
    payment = pay(client)
    refund(client, payment, metadata={"refund_id": "rf_node"})
    simulator.post(f"charges/{payment.latest_charge}/early_fraud_warning")
    simulator.post(f"charges/{payment.latest_charge}/dispute")  # it overtakes the refund, which fails
    received = receiver.wait_for(len(KINDS))
    simulator.wait_for(lambda: simulator.get("webhooks/deliveries", status="waiting")["deliveries"] == [])

    deliveries = [{"body": it.body.decode(), "signature": it.signature} for it in received]
    seen = by_node(simulator, {"secret": SECRET, "deliveries": deliveries, "payment": payment.id})

    ours = [stripe.Webhook.construct_event(it.body, it.signature or "", SECRET) for it in received]
    assert {it.type for it in ours} == set(KINDS)
    assert seen["events"] == [it.to_dict() for it in ours]
    assert seen["refused"] == [{"refused": "StripeSignatureVerificationError"}] * 3
    assert seen["retrieved"] == [client.v1.events.retrieve(it.id).to_dict() for it in ours]
    of_payment = {"payment_intent": payment.id}
    for name, listed in (
        ("disputes", client.v1.disputes.list(of_payment)),
        ("warnings", client.v1.radar.early_fraud_warnings.list(of_payment)),
        ("refunds", client.v1.refunds.list(of_payment)),
        ("listed", client.v1.events.list({"types": ["charge.dispute.created"]})),
    ):
        assert seen[name] == [it.to_dict() for it in listed.data] != [], name
    assert seen["charge"] == client.v1.charges.retrieve(payment.latest_charge).to_dict()
    assert (seen["refunds"][0]["status"], seen["charge"]["disputed"]) == ("failed", True)
