"""The Stripe simulator as its clients see it: a real process, spoken to by Stripe's own library."""

import base64
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import stripe

KEY = "sk_test_simulated"
DAY_SECONDS = 24 * 3600


class Simulator:
    """The simulator's process on a free port, with its control plane."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database
        self.stderr = database.with_suffix(".stderr")

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "devstack.stripe_simulator", "--port", str(self.port)]
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(  # noqa: S603 # our own interpreter, module and paths
                [*command, "--database", str(self.database), *options], stderr=stderr
            )
        self.wait_for(self._is_healthy)

    def _is_healthy(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/_sim/healthz").status_code == 200
        except httpx2.TransportError:
            return False

    def wait_for(self, condition: Callable[[], bool]) -> None:
        for _ in range(400):
            if condition():
                return
            try:
                status = self.process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"the simulator ended with {status}: {self.stderr.read_text()}")
        pytest.fail("the condition did not come true")

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def post(self, path: str, **command: object) -> Any:
        return httpx2.post(f"{self.url}/_sim/{path}", json=command).raise_for_status().json()

    def state(self) -> Any:
        return httpx2.get(f"{self.url}/_sim/state").raise_for_status().json()

    def client(self, key: str = KEY, timeout_seconds: float = 20) -> Any:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "simulator.sqlite")
    simulator.start()
    yield simulator
    if simulator.process.poll() is None:
        simulator.stop(signal.SIGKILL)


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.post("reset")
    return running


@pytest.fixture
def client(simulator: Simulator) -> Any:
    return simulator.client()


def pay(client: Any, amount: int = 2000, card: str = "pm_card_visa", **params: Any) -> Any:
    given = {"amount": amount, "currency": "usd", "payment_method": card, "confirm": True, **params}
    return client.v1.payment_intents.create(given)


def refund(client: Any, payment: Any, key: str | None = None, **params: Any) -> Any:
    options = {} if key is None else {"idempotency_key": key}
    return client.v1.refunds.create({"payment_intent": payment.id, **params}, options)


def refused(client: Any, payment: Any, key: str | None = None, **params: Any) -> Any:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(client, payment, key, **params)
    return caught.value


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_it_says_that_it_is_simulated_and_exits_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start()

    status = simulator.stop(number)

    assert status == 0
    assert "SIMULATED" in simulator.stderr.read_text()
    assert "Traceback" not in simulator.stderr.read_text()


def test_the_clock_can_start_ahead_and_be_advanced(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start("--clock-offset-seconds", "1000")

    advanced = simulator.post("clock", advance_seconds=500)

    assert advanced["offset_seconds"] == 1500
    assert simulator.state()["clock"]["offset_seconds"] == 1500
    assert simulator.stop(signal.SIGTERM) == 0


def test_a_call_that_hangs_on_purpose_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "own.sqlite")
    simulator.start()
    simulator.post("faults", method="GET", path_prefix="/v1/balance", kind="hang_after", hang_seconds=300)
    with pytest.raises(stripe.APIConnectionError):
        simulator.client(timeout_seconds=0.3).v1.balance.retrieve()

    assert simulator.stop(signal.SIGTERM) == 0


def test_refunds_idempotency_memory_and_clock_survive_sigkill(simulator: Simulator, client: Any) -> None:
    payment = pay(client)
    first = refund(client, payment, "refund/rf_1/1", amount=700)
    simulator.post("clock", advance_seconds=60)
    before = simulator.state()

    assert simulator.stop(signal.SIGKILL) == -signal.SIGKILL
    simulator.start()

    after = simulator.state()
    assert after["refunds"] == before["refunds"]
    assert after["journal"] == before["journal"]
    assert after["clock"]["offset_seconds"] == 60
    again = refund(client, payment, "refund/rf_1/1", amount=700)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 700


@pytest.mark.parametrize(
    "key", ["sk_live_abc", "rk_live_abc", "pk_test_abc", "nonsense"], ids=["live", "live-rk", "public", "other"]
)
def test_only_secret_test_keys_are_accepted(simulator: Simulator, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        simulator.client(key).v1.balance.retrieve()

    assert caught.value.http_status == 401
    assert caught.value.error is not None
    assert caught.value.error.type == "invalid_request_error"
    assert caught.value.request_id is not None
    assert key not in str(caught.value)


def test_restricted_keys_and_basic_authentication_are_accepted(simulator: Simulator) -> None:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()

    by_basic = httpx2.get(f"{simulator.url}/v1/balance", headers={"Authorization": f"Basic {basic}"})
    by_nothing = httpx2.get(f"{simulator.url}/v1/balance")

    assert simulator.client("rk_test_abc").v1.balance.retrieve().object == "balance"
    assert by_basic.status_code == 200
    assert by_nothing.status_code == 401
    assert by_nothing.json()["error"]["message"].startswith("You did not provide an API key.")


def test_a_confirmed_payment_succeeds_and_shows_its_charge(client: Any) -> None:
    created = pay(client, metadata={"deposit": "dep_1"}, payment_method_types=["card"])

    payment = client.v1.payment_intents.retrieve(created.id, {"expand": ["latest_charge"]})

    charge = payment.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (payment.status, payment.amount_received, payment.livemode) == ("succeeded", 2000, False)
    assert payment.metadata.to_dict() == {"deposit": "dep_1"}
    assert (charge.captured, charge.amount_captured, charge.amount_refunded) == (True, 2000, 0)
    assert charge.payment_intent == payment.id
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.type == "card"
    assert created.latest_charge == charge.id
    assert client.v1.charges.retrieve(charge.id).id == charge.id


def test_a_payment_with_manual_capture_is_not_refundable(client: Any) -> None:
    payment = pay(client, capture_method="manual")

    error = refused(client, payment)

    assert (payment.status, payment.amount_capturable) == ("requires_capture", 2000)
    assert error.http_status == 400
    with pytest.raises(stripe.InvalidRequestError, match="not been captured"):
        client.v1.refunds.create({"charge": payment.latest_charge})


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"payment_method": "pm_card_nobody"}, "resource_missing", "payment_method"),
        ({"capture_method": "never"}, None, "capture_method"),
    ],
    ids=["unknown", "not-a-number", "too-small", "unknown-card", "wrong-word"],
)
def test_a_payment_with_a_wrong_parameter_is_refused(client: Any, params: Any, code: str | None, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        pay(client, **params)

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


@pytest.mark.parametrize("kind", ["payment_intents", "charges", "refunds"])
def test_what_does_not_exist_is_404_resource_missing(client: Any, kind: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        getattr(client.v1, kind).retrieve("xx_unknown")

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_an_unknown_url_is_404_in_the_shape_of_stripe(client: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as caught:
        client.v1.customers.list()

    assert caught.value.http_status == 404
    assert caught.value.request_id is not None


def test_a_refund_without_amount_pays_back_what_is_left(client: Any) -> None:
    payment = pay(client)
    refund(client, payment, amount=500)

    rest = refund(client, payment, reason="requested_by_customer", metadata={"refund_id": "rf_1"})

    charge = client.v1.charges.retrieve(payment.latest_charge, {"expand": ["refunds"]})
    assert (rest.amount, rest.status, rest.reason) == (1500, "succeeded", "requested_by_customer")
    assert rest.metadata.to_dict() == {"refund_id": "rf_1"}
    assert "pending_reason" not in rest
    assert "failure_reason" not in rest
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    assert charge.refunds is not None
    assert charge.refunds.data[0].id == rest.id


def test_a_refund_may_name_the_charge_instead_of_the_payment(client: Any) -> None:
    payment = pay(client)

    made = client.v1.refunds.create({"charge": payment.latest_charge, "amount": 1, "expand": ["payment_intent"]})

    assert made.payment_intent.status == "succeeded"
    assert made.charge == payment.latest_charge


def test_nothing_more_can_be_refunded_after_a_full_refund(client: Any) -> None:
    payment = pay(client)
    refund(client, payment)

    error = refused(client, payment, amount=1)

    assert (error.http_status, error.code) == (400, "charge_already_refunded")


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (2001, "Refund amount ($20.01) is greater than charge amount ($20.00)"),
        (1501, "Refund amount ($15.01) is greater than unrefunded amount on charge ($15.00)"),
    ],
    ids=["more-than-paid", "more-than-left"],
)
def test_more_than_is_left_is_refused_without_a_code(client: Any, amount: int, message: str) -> None:
    payment = pay(client)
    refund(client, payment, amount=500)

    error = refused(client, payment, amount=amount)

    assert (error.http_status, error.param, error.code) == (400, "amount", None)
    assert error.user_message == message
    assert refund(client, payment, amount=1500).status == "succeeded"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": "1.5"}, "parameter_invalid_integer", "amount"),
        ({"reason": "because"}, None, "reason"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, None, "metadata"),
        ({"payment_intent": "pi_unknown"}, "resource_missing", "payment_intent"),
    ],
    ids=["unknown", "zero", "fraction", "reason", "long-key", "long-value", "51-keys", "no-such-payment"],
)
def test_a_refund_with_a_wrong_parameter_is_refused(
    client: Any, simulator: Simulator, params: Any, code: str | None, param: str
) -> None:
    error = refused(client, pay(client), **params)

    assert (error.code, error.param) == (code, param)
    assert error.error.request_log_url.endswith(error.request_id)
    assert simulator.state()["refunds"] == []


def test_metadata_is_merged_unset_and_cleared(client: Any) -> None:
    made = refund(client, pay(client), metadata={"a": "1", "b": "2"})

    merged = client.v1.refunds.update(made.id, {"metadata": {"b": "", "c": "3"}})

    assert merged.metadata.to_dict() == {"a": "1", "c": "3"}
    assert client.v1.refunds.retrieve(made.id).metadata.to_dict() == {"a": "1", "c": "3"}
    assert client.v1.refunds.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_a_pending_refund_waits_until_it_is_settled(client: Any, simulator: Simulator) -> None:
    payment = pay(client, card="pm_card_pendingRefund")
    pending = refund(client, payment)
    assert (pending.status, pending.pending_reason) == ("pending", "processing")
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 2000

    simulator.post(f"refunds/{pending.id}/settle")

    settled = client.v1.refunds.retrieve(pending.id)
    assert settled.status == "succeeded"
    assert "pending_reason" not in settled


@pytest.mark.parametrize("action", ["fail", "cancel"])
def test_a_refund_that_ends_unpaid_gives_its_amount_back(client: Any, simulator: Simulator, action: str) -> None:
    payment = pay(client, card="pm_card_refundFail")
    first = refund(client, payment)
    assert first.status == "succeeded"

    simulator.post(f"refunds/{first.id}/{action}")

    ended = client.v1.refunds.retrieve(first.id)
    assert ended.status == {"fail": "failed", "cancel": "canceled"}[action]
    assert ended.failure_reason == {"fail": "unknown", "cancel": "merchant_request"}[action]
    assert ended.failure_balance_transaction is not None
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 0
    assert client.v1.charges.retrieve(payment.latest_charge).amount_refunded == 0
    assert refund(client, payment).id != first.id
    assert simulator.state()["payment_intents"][0]["refunded_minor"] == 2000


def test_the_control_plane_refuses_what_it_cannot_do(client: Any, simulator: Simulator) -> None:
    made = refund(client, pay(client))

    answers = [
        httpx2.post(f"{simulator.url}/_sim/refunds/{made.id}/settle"),
        httpx2.post(f"{simulator.url}/_sim/refunds/re_unknown/settle"),
        httpx2.post(f"{simulator.url}/_sim/refunds/{made.id}/fail", json={"failure_reason": "mood"}),
        httpx2.post(f"{simulator.url}/_sim/faults", json={"kind": "earthquake"}),
        httpx2.post(f"{simulator.url}/_sim/clock", json={"seconds": 1}),
        httpx2.post(f"{simulator.url}/_sim/clock", json={"advance_seconds": -1}),
    ]

    assert [answer.status_code for answer in answers] == [409, 404, 400, 400, 400, 400]


def test_lists_page_past_one_hundred_refunds_newest_first(client: Any) -> None:
    payment, other = pay(client), pay(client)
    refund(client, other, amount=1)
    made = [refund(client, payment, amount=n + 1).id for n in range(52)]
    made += [refund(client, payment, amount=1).id for _ in range(53)]

    first = client.v1.refunds.list({"payment_intent": payment.id, "limit": 100})
    second = client.v1.refunds.list(
        {"charge": payment.latest_charge, "limit": 100, "starting_after": first.data[-1].id}
    )
    newer = client.v1.refunds.list({"payment_intent": payment.id, "limit": 3, "ending_before": second.data[0].id})

    assert (len(first.data), first.has_more) == (100, True)
    assert (len(second.data), second.has_more) == (5, False)
    assert [one.id for one in (*first.data, *second.data)] == made[::-1]
    assert [one.id for one in newer.data] == [one.id for one in first.data[-3:]]
    assert [one.id for one in first.auto_paging_iter()] == made[::-1]
    assert len(client.v1.refunds.list().data) == 10


def test_a_list_that_is_too_long_or_names_what_does_not_exist_is_refused(
    client: Any,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as too_many:
        client.v1.refunds.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.v1.refunds.list({"starting_after": "re_unknown"})
    with pytest.raises(stripe.InvalidRequestError) as no_payment:
        client.v1.refunds.list({"payment_intent": "pi_unknown"})

    assert too_many.value.param == "limit"
    assert unknown.value.param == "starting_after"
    assert (no_payment.value.code, no_payment.value.param) == ("resource_missing", "payment_intent")


def test_an_inquiry_leaves_the_charge_refundable_and_a_chargeback_does_not(client: Any, simulator: Simulator) -> None:
    payment = pay(client)
    assert client.v1.disputes.list({"payment_intent": payment.id}).data == []

    simulator.post(f"charges/{payment.latest_charge}/dispute", status="warning_needs_response")
    inquiry = client.v1.disputes.list({"payment_intent": payment.id}).data[0]
    assert client.v1.charges.retrieve(payment.latest_charge).disputed
    assert inquiry.is_charge_refundable
    assert refund(client, payment, amount=500).status == "succeeded"

    simulator.post(f"charges/{payment.latest_charge}/dispute", status="needs_response")
    chargeback = client.v1.disputes.list({"charge": payment.latest_charge}).data[0]
    error = refused(client, payment)
    assert (chargeback.id, chargeback.status) == (inquiry.id, "needs_response")
    assert not chargeback.is_charge_refundable
    assert (error.http_status, error.code) == (400, "charge_disputed")


def test_the_balance_is_what_was_charged_less_what_was_refunded(client: Any) -> None:
    refund(client, pay(client), amount=500)

    balance = client.v1.balance.retrieve()

    assert [(one.amount, one.currency) for one in balance.available] == [(1500, "usd")]


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
