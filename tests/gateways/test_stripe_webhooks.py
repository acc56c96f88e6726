"""What counts as a webhook of Stripe's, held against Stripe's own libraries for Python and JavaScript."""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.card_events import EventSubject
from gateways.stripe import webhooks
from gateways.stripe.webhooks import HookFault, NotAnEvent, read_body, verify

ROOT = Path(__file__).parents[2]
NOW = 1_795_176_000
SECRET, NEXT, OTHER = "whsec_one", "whsec_two", "whsec_other"
TEXT = '{\n  "id": "evt_1",\n  "name": "Zoë 中文"\n}'
SIGN_IN_NODE = """
import Stripe from "stripe";
const [payload, secret, timestamp] = process.argv.slice(1);
console.log(Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: Number(timestamp) }));
"""


def signed(text: str = TEXT, secret: str = SECRET, at: int = NOW) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(text, secret, timestamp=at)
    return header


def fault_of(raw: bytes, header: str | None, *secrets: str, now: float = NOW) -> HookFault | None:
    try:
        verify(raw, header, secrets or (SECRET,), now_seconds=now)
    except NotAnEvent as refusal:
        return refusal.fault
    return None


def test_what_stripe_python_signs_is_taken() -> None:
    assert fault_of(TEXT.encode(), signed()) is None


def test_what_stripe_node_signs_is_taken_by_us_and_by_stripe_python() -> None:
    node = shutil.which("node", path=os.pathsep.join((str(ROOT / ".venv" / "bin"), os.environ["PATH"])))
    assert node is not None, "neither the Python environment nor the system has Node"
    command = [node, "--input-type=module", "-e", SIGN_IN_NODE, TEXT, SECRET, str(NOW)]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603

    assert ended.returncode == 0, ended.stderr
    header = ended.stdout.strip()
    assert fault_of(TEXT.encode(), header) is None
    assert stripe.WebhookSignature.verify_header(TEXT, header, SECRET)


@pytest.mark.parametrize(
    ("seconds", "fault"),
    [
        (0, None),
        (300, None),
        (301, HookFault.OLD),
        (-300, None),
        (-301, HookFault.FUTURE),
        (-3600, HookFault.FUTURE),
    ],
    ids=["now", "5 minutes old", "older", "5 minutes ahead", "further ahead", "an hour ahead"],
)
def test_a_stamp_may_be_five_minutes_away_in_both_directions(seconds: int, fault: HookFault | None) -> None:
    assert fault_of(TEXT.encode(), signed(), now=NOW + seconds) == fault


def test_stripe_s_own_check_takes_the_future_which_is_why_ours_stands_beside_it() -> None:
    header = signed(at=4_000_000_000)

    assert stripe.WebhookSignature.verify_header(TEXT, header, SECRET, tolerance=300)
    assert fault_of(TEXT.encode(), header) == HookFault.FUTURE


def test_one_changed_byte_or_another_secret_is_a_forgery() -> None:
    assert fault_of(TEXT.encode() + b"\n", signed()) == HookFault.FORGED
    assert fault_of(TEXT.encode(), signed(secret=OTHER)) == HookFault.FORGED
    assert fault_of(TEXT.encode(), signed(), OTHER) == HookFault.FORGED
    assert fault_of(TEXT.encode(), signed(at=NOW).replace(f"t={NOW}", f"t={NOW + 1}")) == HookFault.FORGED
    assert fault_of(TEXT.encode(), signed(secret=OTHER), now=NOW + 9999) == HookFault.FORGED, "not told as old"


def test_while_secrets_rotate_either_is_enough_on_both_sides() -> None:
    both = f"{signed()},{signed(secret=NEXT).partition(',')[2]}"

    assert fault_of(TEXT.encode(), both, SECRET) is None
    assert fault_of(TEXT.encode(), both, NEXT) is None
    assert fault_of(TEXT.encode(), signed(secret=NEXT), SECRET, NEXT) is None
    assert fault_of(TEXT.encode(), signed(secret=OTHER), SECRET, NEXT) == HookFault.FORGED


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=",
        f"t={NOW}",
        "v1=" + "0" * 64,
        f"t={NOW},v0=" + "0" * 64,
        f"t=now,v1={'0' * 64}",
        f"t=-{NOW},v1={'0' * 64}",
        f"t={NOW},t={NOW},v1={'0' * 64}",
        f"t=٣,v1={'0' * 64}",
        f"t={'9' * 400},v1={'0' * 64}",
        f"t={NOW}," + ",".join(["v1=" + "0" * 64] * 9),
        f"t={NOW},v1=" + "0" * 5000,
    ],
    ids=[
        *("none", "empty", "empty stamp", "no signature", "no stamp", "another scheme", "a word", "negative"),
        *("two stamps", "digits of another script", "endless digits", "too many signatures", "too long"),
    ],
)
def test_a_header_that_is_none_is_no_signature(header: str | None) -> None:
    assert fault_of(TEXT.encode(), header) == HookFault.UNSIGNED


def test_a_signature_that_is_not_ascii_is_a_forgery_and_no_fault_of_ours() -> None:
    assert fault_of(TEXT.encode(), f"t={NOW},v1=é") == HookFault.FORGED


def test_the_version_of_our_events_is_that_of_the_library() -> None:
    assert stripe.api_version == webhooks.API_VERSION


def event(**changes: Any) -> dict[str, Any]:
    shown = {"id": "re_1", "object": "refund", "amount": 2000, "currency": "usd", "payment_intent": "pi_1"}
    whole = {"id": "evt_1", "type": "refund.created", "livemode": False, "data": {"object": shown}}
    return whole | changes


def read(value: Any) -> Any:
    return read_body(json.dumps(value).encode())


def test_an_event_names_its_refund_its_payment_and_what_the_metadata_say() -> None:
    value = event()
    value["data"]["object"]["metadata"] = {"refund_id": "rf_1", "attempt": "2", "workflow_id": "refund/rf_1"}

    seen = read(value)

    assert (seen.subject, seen.subject_id, seen.payment_intent) == (EventSubject.REFUND, "re_1", "pi_1")
    assert (seen.refund_id, seen.attempt, seen.workflow_id) == ("rf_1", 2, "refund/rf_1")
    assert (seen.amount_minor, seen.currency, seen.is_live, seen.account) == (2000, "USD", False, None)


@pytest.mark.parametrize("kind", ["charge", "dispute", "radar.early_fraud_warning"])
def test_what_an_event_shows_is_told_by_the_object_and_not_by_its_type(kind: str) -> None:
    value = event(data={"object": {"id": "x_1", "object": kind, "payment_intent": "pi_1"}})

    assert read(value).subject == kind


def test_a_type_that_we_do_not_follow_is_read_no_further() -> None:
    assert read(event(type="payment_intent.succeeded", data={"object": {"id": 1}})) is None


@pytest.mark.parametrize(
    "metadata",
    [{"refund_id": "rf\0"}, {"refund_id": "r" * 500}, {"attempt": "-1"}, {"attempt": "٣"}, {"attempt": "9" * 30}],
    ids=["NUL", "too long", "negative", "digits of another script", "endless digits"],
)
def test_metadata_that_no_database_would_take_name_nothing(metadata: dict[str, str]) -> None:
    value = event()
    value["data"]["object"]["metadata"] = metadata

    seen = read(value)

    assert (seen.refund_id, seen.attempt) == (None, None)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", HookFault.UNPARSABLE),
        (b"{", HookFault.UNPARSABLE),
        (b"[]", HookFault.UNPARSABLE),
        (b"null", HookFault.UNPARSABLE),
        (b"[" * 200_000, HookFault.UNPARSABLE),
        (b'{"id": ' + b"9" * 10_000 + b"}", HookFault.UNPARSABLE),
        (b'{"id": "\xff"}', HookFault.NOT_UTF8),
        (json.dumps(event()).encode("utf-16"), HookFault.NOT_UTF8),
        (json.dumps(event(id="evt\0")).encode(), HookFault.UNPARSABLE),
        (json.dumps(event(livemode="no")).encode(), HookFault.UNPARSABLE),
        (json.dumps(event(data={"object": {"id": "x", "object": "customer"}})).encode(), HookFault.UNPARSABLE),
    ],
    ids=[
        *("empty", "half", "a list", "null", "endless depth", "endless number", "not UTF-8", "UTF-16", "NUL"),
        *("a word for a flag", "an object that the type does not have"),
    ],
)
def test_what_is_no_event_is_refused_without_its_words(raw: bytes, fault: HookFault) -> None:
    with pytest.raises(NotAnEvent) as refused:
        read_body(raw)

    assert refused.value.fault == fault
    assert str(refused.value) == fault.value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
SHOWN = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("re_1") | JSON,
        "object": st.sampled_from(list(EventSubject)) | JSON,
        "payment_intent": st.just("pi_1") | JSON,
        "metadata": st.dictionaries(st.sampled_from(["refund_id", "attempt", "workflow_id"]), st.text()) | JSON,
        "amount": JSON,
        "currency": JSON,
        "status": JSON,
        "amount_refunded": JSON,
    },
)
EVENTS = st.fixed_dictionaries(
    {"id": st.just("evt_1") | JSON, "type": st.sampled_from(webhooks.EVENT_TYPES), "livemode": st.booleans()},
    optional={"account": JSON, "api_version": JSON, "data": st.fixed_dictionaries({"object": SHOWN}) | JSON},
)


@given(
    body=st.binary()
    | EVENTS.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda it: json.dumps(it).encode())
)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_signed_is_an_event_or_refused_and_never_a_fault_of_ours(body: bytes) -> None:
    with suppress(NotAnEvent):
        seen = read_body(body)
        assert seen is None or seen.event_id.isprintable()


@given(header=st.text() | st.lists(st.sampled_from(["t=1", "v1=a", "v1=", "t=", "=", "v0=b", "é"])).map(",".join))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_the_header_is_refused_and_never_a_fault_of_ours(header: str) -> None:
    assert fault_of(b"{}", header) in (HookFault.UNSIGNED, HookFault.FORGED)
