"""Webhooks of the Stripe simulator, received over HTTP and verified by Stripe's own library."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.devstack.receiver import HANG, Receiver
from tests.devstack.simulator import Simulator, pay, refund

SECRET = "whsec_simulated"
OTHER_SECRET = "whsec_simulated_next"
# How much later than its stamp a webhook may arrive on a machine that is busy.
CLOCK_SECONDS_MAX = 60
OF_A_REFUND = ["refund.created", "charge.refunded"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Simulator]:
    """Hold a simulator that is not started yet, for a test that chooses how."""
    simulator = Simulator(tmp_path / "own.sqlite")
    yield simulator
    if simulator.process.poll() is None:
        simulator.stop(signal.SIGKILL)


def point(simulator: Simulator, receiver: Receiver, **options: Any) -> Any:
    given = {"url": receiver.url, "secrets": [SECRET], "retry_seconds": 0.01, **options}
    return simulator.post("webhooks/targets", **given)


def deliveries(simulator: Simulator, **query: str) -> Any:
    return simulator.get("webhooks/deliveries", **query)["deliveries"]


def wait_until_settled(simulator: Simulator) -> Any:
    simulator.wait_for(lambda: deliveries(simulator, status="waiting") == [])
    return deliveries(simulator)


def verified(received: Any, secret: str = SECRET) -> Any:
    return stripe.Webhook.construct_event(received.body, received.signature, secret)


def test_what_is_sent_is_what_stripe_verifies_and_the_events_list_shows(
    client: Any, simulator: Simulator, receiver: Receiver
) -> None:
    point(simulator, receiver, enabled_events=["refund.*"])
    refund(client, pay(client), metadata={"refund_id": "rf_1"})

    (received,) = receiver.wait_for(1)

    event = verified(received)
    assert event.type == "refund.created"
    assert event.data.object.metadata.refund_id == "rf_1"
    assert event.pending_webhooks == 1
    assert abs(received.stamp - received.at) < CLOCK_SECONDS_MAX
    assert received.headers["Content-Type"] == "application/json; charset=utf-8"
    wait_until_settled(simulator)
    listed = client.v1.events.retrieve(event.id)
    assert listed.pending_webhooks == 0
    assert listed.data.to_dict() == event.data.to_dict()
    with pytest.raises(stripe.SignatureVerificationError):
        verified(received, OTHER_SECRET)


def test_a_receiver_that_fails_and_hangs_is_tried_again_each_time_stamped_anew(
    client: Any, simulator: Simulator, receiver: Receiver
) -> None:
    simulator.post("clock", advance_seconds=3600)
    point(simulator, receiver, enabled_events=["charge.refunded"], timeout_seconds=1.1)
    receiver.script.extend([HANG, 503, 302])
    refund(client, pay(client))

    tries = receiver.wait_for(4)

    assert len({verified(one).id for one in tries}) == 1
    assert all(abs(one.stamp - one.at) < CLOCK_SECONDS_MAX for one in tries), "stamped by the real clock"
    assert tries[1].stamp > tries[0].stamp
    (delivery,) = wait_until_settled(simulator)
    assert (delivery["status"], delivery["tries"], delivery["answer_status"]) == ("delivered", 4, 200)


def test_a_receiver_that_never_accepts_is_given_up_and_shows_in_the_events_list(
    client: Any, simulator: Simulator, receiver: Receiver
) -> None:
    point(simulator, receiver, enabled_events=["refund.created"], tries_max=3)
    receiver.script.extend([500] * 3)
    refund(client, pay(client))

    (delivery,) = wait_until_settled(simulator)

    (undelivered,) = client.v1.events.list({"delivery_success": False, "types": ["refund.created"]}).data
    assert (delivery["status"], delivery["tries"], delivery["answer_status"]) == ("given_up", 3, 500)
    assert len(receiver.received) == 3
    assert (undelivered.id, undelivered.pending_webhooks) == (delivery["event"], 1)
    assert undelivered.id not in [it.id for it in client.v1.events.list({"delivery_success": True}).data]

    simulator.post(f"events/{undelivered.id}/redeliver")

    assert verified(receiver.wait_for(4)[-1]).id == undelivered.id
    assert [it["status"] for it in wait_until_settled(simulator)] == ["given_up", "delivered"]
    assert client.v1.events.list({"delivery_success": False}).data == []


def test_a_receiver_that_is_not_there_is_an_error_of_the_delivery(client: Any, simulator: Simulator) -> None:
    nobody = Receiver()
    nobody.stop()
    point(simulator, nobody, enabled_events=["payment_intent.succeeded"], tries_max=2)
    pay(client)

    (delivery,) = wait_until_settled(simulator)

    assert (delivery["status"], delivery["tries"], delivery["answer_status"]) == ("given_up", 2, None)
    assert "Connect" in delivery["error"]


def test_a_target_that_hangs_holds_up_only_its_own_line(
    client: Any, simulator: Simulator, receiver: Receiver
) -> None:
    hanging = Receiver()
    hanging.script.extend([HANG] * 9)
    point(simulator, hanging, timeout_seconds=30)
    point(simulator, receiver)

    pay(client)

    hanging.wait_for(1)
    assert len(receiver.wait_for(3)) == 3
    assert len(hanging.received) == 1
    (waiting,) = client.v1.events.list({"type": "charge.succeeded"}).data
    assert waiting.pending_webhooks == 1
    hanging.stop()


def test_while_a_secret_is_rotated_both_verify(client: Any, simulator: Simulator, receiver: Receiver) -> None:
    first = point(simulator, receiver, secrets=[SECRET])
    second = point(simulator, receiver, secrets=[SECRET, OTHER_SECRET])
    pay(client)

    received = receiver.wait_for(1)[0]

    assert first["id"] == second["id"]
    assert verified(received, SECRET).id == verified(received, OTHER_SECRET).id
    with pytest.raises(stripe.SignatureVerificationError):
        verified(received, "whsec_third")


@pytest.mark.parametrize("kind", ["wrong_secret", "old", "changed_body", "unsigned", "future"])
def test_a_forged_event_is_what_it_says_and_does_not_count_as_delivered(
    client: Any, simulator: Simulator, receiver: Receiver, kind: str
) -> None:
    point(simulator, receiver, enabled_events=["payment_intent.succeeded"])
    simulator.post("webhooks", held=True)
    pay(client)
    (event,) = client.v1.events.list({"type": "payment_intent.succeeded"}).data

    simulator.post(f"events/{event.id}/forge", kind=kind)

    (forged,) = receiver.wait_for(1)
    if kind == "future":
        # Stripe's library takes it: a receiver needs a check of its own.
        assert verified(forged).id == event.id
        assert forged.stamp - forged.at > 3000
    else:
        with pytest.raises(stripe.SignatureVerificationError) as caught:
            verified(forged)
        assert ("tolerance" in str(caught.value)) == (kind == "old")
    assert forged.event["id"] == event.id
    simulator.wait_for(lambda: [it["status"] for it in deliveries(simulator)] == ["waiting", "delivered"])
    assert client.v1.events.retrieve(event.id).pending_webhooks == 1


def test_a_refused_forgery_is_not_sent_again(client: Any, simulator: Simulator, receiver: Receiver) -> None:
    pay(client)
    point(simulator, receiver)
    event = client.v1.events.list().data[0]
    receiver.script.append(400)

    simulator.post(f"events/{event.id}/forge", kind="old")

    (delivery,) = wait_until_settled(simulator)
    assert (delivery["status"], delivery["tries"], delivery["answer_status"]) == ("given_up", 1, 400)


def test_each_event_can_come_several_times(client: Any, simulator: Simulator, receiver: Receiver) -> None:
    point(simulator, receiver, enabled_events=OF_A_REFUND)
    simulator.post("webhooks", copies=3)

    refund(client, pay(client))

    ids = [verified(one).id for one in receiver.wait_for(6)]
    wait_until_settled(simulator)
    assert len(receiver.received) == 6
    assert sorted(ids.count(it) for it in set(ids)) == [3, 3]


def test_held_deliveries_wait_until_they_are_released(client: Any, simulator: Simulator, receiver: Receiver) -> None:
    own_line = Receiver()
    point(simulator, receiver, enabled_events=OF_A_REFUND)
    simulator.post("webhooks", held=True)
    refund(client, pay(client))
    # A second target's forged event passes, so the deliverer has looked at what is held by then.
    other = point(simulator, own_line)
    event = client.v1.events.list().data[0]
    simulator.post(f"events/{event.id}/forge", kind="old", target=other["id"])
    own_line.wait_for(1)
    assert receiver.received == []
    assert len(client.v1.events.list({"delivery_success": False}).data) == 2

    simulator.post("webhooks", held=False)

    receiver.wait_for(2)
    assert receiver.types() == OF_A_REFUND
    own_line.stop()


def released(simulator: Simulator, receiver: Receiver, client: Any, **settings: Any) -> list[str]:
    """Hold the events of three refunds, release them, and say in which order they came."""
    simulator.post("reset")
    receiver.received.clear()
    point(simulator, receiver, enabled_events=["refund.created"])
    simulator.post("webhooks", held=True, **settings)
    payment = pay(client)
    for number in range(6):
        refund(client, payment, amount=100 + number)
    simulator.post("webhooks", held=False)
    return [str(one.event["data"]["object"]["amount"] - 100) for one in receiver.wait_for(6)]


def test_deliveries_come_reversed_or_shuffled_by_a_seed(
    client: Any, simulator: Simulator, receiver: Receiver
) -> None:
    as_made = released(simulator, receiver, client)
    backwards = released(simulator, receiver, client, ordering="reversed")
    shuffled = released(simulator, receiver, client, ordering="shuffled", seed=1)
    again = released(simulator, receiver, client, ordering="shuffled", seed=1)
    other = released(simulator, receiver, client, ordering="shuffled", seed=2)

    assert as_made == ["0", "1", "2", "3", "4", "5"]
    assert backwards == as_made[::-1]
    assert shuffled == again
    assert len({tuple(order) for order in (as_made, backwards, shuffled, other)}) == 4
    assert sorted(shuffled) == as_made


def test_what_was_not_delivered_is_delivered_after_a_kill(own: Simulator, receiver: Receiver) -> None:
    options = ("--webhook-url", receiver.url, "--webhook-secret", SECRET, "--webhook-secret", OTHER_SECRET)
    receiver.script.append(HANG)
    own.start(*options)
    pay(own.client())
    receiver.wait_for(1)
    before = deliveries(own)

    own.stop(signal.SIGKILL)
    own.start(*options)

    tries = receiver.wait_for(4)
    assert [it["tries"] for it in before] == [0, 0, 0]
    assert {verified(one, OTHER_SECRET).id for one in tries} == {it["event"] for it in before}
    assert {it["status"] for it in wait_until_settled(own)} == {"delivered"}


def test_the_environment_names_a_target_that_outlives_a_reset_but_not_its_absence(
    own: Simulator, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SIMULATOR_WEBHOOK_URL", receiver.url)
    monkeypatch.setenv("STRIPE_SIMULATOR_WEBHOOK_SECRET", f"{SECRET},{OTHER_SECRET}")
    own.start()
    own.post("webhooks/targets", url="http://127.0.0.1:9/", secrets=[SECRET])
    own.post("reset")
    pay(own.client())
    assert verified(receiver.wait_for(3)[0], OTHER_SECRET)
    assert [it["url"] for it in own.get("webhooks")["targets"]] == [receiver.url]

    own.stop(signal.SIGTERM)
    monkeypatch.delenv("STRIPE_SIMULATOR_WEBHOOK_URL")
    own.start()

    assert own.get("webhooks")["targets"] == []
    assert SECRET not in own.stderr.read_text()


def test_an_address_without_a_secret_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "devstack.stripe_simulator", "--port", "1", "--database", str(tmp_path / "own")]

    ended = subprocess.run(  # noqa: S603 # our own interpreter, module and paths
        [*command, "--webhook-url", "http://127.0.0.1:9/"], capture_output=True, text=True, timeout=20, check=False
    )

    assert ended.returncode == 2
    assert "--webhook-url needs a --webhook-secret" in ended.stderr


@pytest.mark.parametrize(
    ("path", "command", "named"),
    [
        ("webhooks/targets", {"url": "ftp://x", "secrets": [SECRET]}, "url"),
        ("webhooks/targets", {"url": "http://127.0.0.1:9/", "secrets": []}, "secrets"),
        ("webhooks/targets", {"url": "http://127.0.0.1:9/", "secrets": [SECRET], "tries_max": 0}, "tries_max"),
        ("webhooks", {"ordering": "sideways"}, "ordering"),
        ("webhooks", {"copies": 101}, "copies"),
        ("webhooks", {"hold": True}, "unknown fields: hold"),
    ],
    ids=["address", "no-secret", "no-tries", "ordering", "too-many", "unknown"],
)
def test_a_wrong_command_is_answered_with_what_is_wrong(
    simulator: Simulator, path: str, command: Any, named: str
) -> None:
    status, answer = simulator.try_post(path, **command)

    assert status == 400
    assert named in answer["error"]


def test_a_target_that_is_removed_gets_nothing_more(client: Any, simulator: Simulator, receiver: Receiver) -> None:
    target = point(simulator, receiver)
    simulator.post("webhooks", held=True)
    pay(client)

    simulator.delete(f"webhooks/targets/{target['id']}")
    simulator.post("webhooks", held=False)

    assert deliveries(simulator) == []
    assert client.v1.events.list({"delivery_success": False}).data == []
    assert simulator.get("webhooks")["targets"] == []
