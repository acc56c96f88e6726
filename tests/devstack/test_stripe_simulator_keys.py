"""Idempotency keys and faults at the Stripe simulator."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.devstack.simulator import DAY_SECONDS, Simulator, pay, refund, refused


def test_the_same_key_replays_the_first_answer(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    first = refund(client, payment, "key", amount=500)
    assert "Idempotent-Replayed" not in first.last_response.headers

    second = refund(client, payment, "key", amount=500)

    headers = second.last_response.headers
    assert second.id == first.id
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert headers["Request-Id"] != headers["Original-Request"]
    assert [
        (one["idempotency_key"], one["answer_status"], one["is_replay"], one["refund"])
        for one in simulator.state()["journal"]
    ] == [("key", 200, False, first.id), ("key", 200, True, first.id)]


def test_a_refusal_after_execution_began_is_replayed(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    whole = refund(client, payment)
    assert refused(client, payment, "key").code == "charge_already_refunded"
    simulator.post(f"refunds/{whole.id}/fail")

    error = refused(client, payment, "key")

    assert error.code == "charge_already_refunded"
    assert error.headers["Idempotent-Replayed"] == "true"
    assert error.headers["Stripe-Should-Retry"] == "false"


def test_a_parameter_that_fails_validation_does_not_use_up_the_key(client: Any) -> None:
    payment = pay(client)
    refused(client, payment, "key", amount=0)

    assert refund(client, payment, "key", amount=500).status == "succeeded"


def test_a_wrong_api_key_does_not_use_up_the_idempotency_key(simulator: Simulator) -> None:
    client = simulator.client()
    payment = pay(client)
    with pytest.raises(stripe.AuthenticationError):
        refund(simulator.client("sk_live_abc"), payment, "key")

    assert refund(client, payment, "key").status == "succeeded"
    assert [one["answer_status"] for one in simulator.state()["journal"]] == [401, 200]


def test_a_key_is_bound_to_its_parameters_and_its_endpoint(client: Any) -> None:
    payment = pay(client)
    made = refund(client, payment, "key", amount=500)

    with pytest.raises(stripe.IdempotencyError, match="same parameters") as other_params:
        refund(client, payment, "key", amount=501)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.refunds.update(made.id, {"metadata": {"a": "1"}}, {"idempotency_key": "key"})

    assert other_params.value.http_status == 400
    assert refund(client, payment, "key", amount=500).id == made.id


def test_a_key_of_more_than_255_characters_is_refused(client: Any) -> None:
    payment = pay(client)

    assert refused(client, payment, "k" * 256).http_status == 400
    assert refund(client, payment, "k" * 255).status == "succeeded"


def test_a_key_is_forgotten_after_24_hours_of_the_simulated_clock(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    first = refund(client, payment, "key", amount=500)

    simulator.post("clock", advance_seconds=DAY_SECONDS - 60)
    assert refund(client, payment, "key", amount=500).id == first.id
    simulator.post("clock", advance_seconds=60)
    second = refund(client, payment, "key", amount=500)

    assert second.id != first.id
    assert second.created - first.created >= DAY_SECONDS


def test_a_key_in_flight_answers_409(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    simulator.post("faults", method="POST", path_prefix="/v1/refunds", kind="hang_before", hang_seconds=2)

    with ThreadPoolExecutor() as threads:
        slow = threads.submit(refund, client, payment, "key")
        simulator.wait_for(lambda: simulator.state()["faults"] == [])
        with pytest.raises(stripe.APIError) as caught:
            refund(client, payment, "key")

    assert caught.value.http_status == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "idempotency_key_in_use"
    assert refund(client, payment, "key").id == slow.result().id


def test_eight_parallel_posts_with_one_key_make_one_refund(client: Any, simulator: Simulator) -> None:
    payment = pay(client)

    def insist(_: int) -> str:
        while True:
            try:
                return str(refund(client, payment, "key", amount=100).id)
            except stripe.APIError as error:
                if error.http_status != 409:
                    raise

    with ThreadPoolExecutor(max_workers=8) as threads:
        made = set(threads.map(insist, range(8)))

    assert len(made) == 1
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 100


@pytest.mark.parametrize(
    ("kind", "error", "status", "refunds_made"),
    [
        ("drop_before", stripe.APIConnectionError, None, 0),
        ("drop_after", stripe.APIConnectionError, None, 1),
        ("500_before", stripe.APIError, 500, 0),
        ("500_after", stripe.APIError, 500, 1),
        ("409", stripe.APIError, 409, 0),
        ("429", stripe.RateLimitError, 429, 0),
        ("502_html_after", stripe.APIError, 502, 1),
        ("truncate_after", stripe.APIConnectionError, None, 1),
        ("hang_after", stripe.APIConnectionError, None, 1),
    ],
)
def test_a_fault_hits_one_call_and_the_same_key_never_pays_twice(
    simulator: Simulator, kind: str, error: type[stripe.StripeError], status: int | None, refunds_made: int
) -> None:
    client = simulator.client(timeout_seconds=2)
    payment = pay(client)
    simulator.post("faults", method="POST", path_prefix="/v1/refunds", kind=kind, hang_seconds=300)

    with pytest.raises(error) as caught:
        refund(client, payment, "key")

    state = simulator.state()
    assert caught.value.http_status == status
    assert len(state["refunds"]) == refunds_made
    assert [one["fault"] for one in state["journal"]] == [kind]
    if kind.startswith("500"):
        with pytest.raises(stripe.APIError) as replayed:
            refund(client, payment, "key")
        assert replayed.value.http_status == 500
        assert (replayed.value.headers or {})["Idempotent-Replayed"] == "true"
    else:
        assert refund(client, payment, "key").status == "succeeded"
        assert simulator.state()["payment_intents"][0]["refunded_minor"] == 2000


def test_a_fault_can_hit_several_calls_and_only_those_that_match(client: Any, simulator: Simulator) -> None:
    simulator.post("faults", method="GET", path_prefix="/v1/refunds", kind="429", times=2)
    payment = pay(client)

    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.refunds.list()

    assert client.v1.refunds.list().data == []
    assert refund(client, payment).status == "succeeded"


def test_reset_forgets_everything(client: Any, simulator: Simulator) -> None:
    refund(client, pay(client), "key")
    simulator.post("clock", advance_seconds=5)
    simulator.post("faults", path_prefix="/v1/", kind="409")

    simulator.post("reset")

    state = simulator.state()
    lists = ("payment_intents", "charges", "refunds", "disputes", "journal", "faults")
    assert [state[name] for name in lists] == [[], [], [], [], [], []]
    assert state["clock"]["offset_seconds"] == 0
    assert refund(client, pay(client), "key").status == "succeeded"
