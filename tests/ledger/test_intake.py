"""A request is refused by name and writes nothing, or becomes one row per ticket."""

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.refunds import OwnershipLevel, RefundStatus
from ledger.intake import DIRECT, Requester
from tests.ledger.scene import HELPDESK, NOON, Scene

ABSENT_HASH = "0x" + "ff" * 32
DEP_HASH = "0x" + b"chain".hex().rjust(64, "0")


@pytest.fixture
def two_rails(scene: Scene) -> Scene:
    scene.funded()
    scene.deposit("chain", rail="crypto")
    scene.account("other")
    scene.deposit("theirs", account_id="other")
    return scene


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        pytest.param({"account": {"id": "nobody"}}, "account.id", "known_account", id="unknown account"),
        pytest.param({"account": {"username": "x"}}, "account.username", "known_account", id="unknown username"),
        pytest.param({"account": {"id": "other"}, "rail": "crypto"}, "rail", "deposit_on_rail", id="rail never used"),
        pytest.param({"deposit_id": "nothing"}, "deposit_id", "known_deposit", id="unknown deposit"),
        pytest.param({"deposit_id": "theirs"}, "deposit_id", "known_deposit", id="another's deposit"),
        pytest.param({"deposit_id": "chain"}, "rail", "deposit_rail", id="deposit of the other rail"),
        pytest.param({"payment_proof": ABSENT_HASH}, "payment_proof", "rail", id="proof of the other rail"),
        pytest.param(
            {"payment_proof": "pi_nothing"}, "payment_proof", "matches_deposit", id="proof of no deposit on a ticket"
        ),
        pytest.param(
            {"payment_proof": "pi_theirs"}, "payment_proof", "matches_deposit", id="proof of another's deposit"
        ),
        pytest.param(
            {"rail": "crypto", "deposit_id": "chain", "payment_proof": ABSENT_HASH},
            "payment_proof",
            "matches_deposit",
            id="hash of no deposit",
        ),
        pytest.param({"session_claim": "jwt"}, "session_claim", "verifier_configured", id="claim nobody can verify"),
        pytest.param(
            {"requested_at": (NOON + timedelta(minutes=5, seconds=1)).isoformat()},
            "requested_at",
            "not_in_future",
            id="a second beyond the skew",
        ),
    ],
)
def test_a_request_that_cannot_be_right_names_field_and_rule_and_writes_nothing(
    two_rails: Scene, change: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        two_rails.request(**change)

    assert (refused.value.field, refused.value.rule) == (field, rule)
    assert two_rails.views.refunds() == []


def test_a_proof_must_be_of_the_deposit_that_is_named(two_rails: Scene) -> None:
    two_rails.deposit("dep_2")

    with pytest.raises(InvalidRequest) as refused:
        two_rails.request(deposit_id="dep", payment_proof="pi_dep_2")

    assert (refused.value.field, refused.value.rule) == ("payment_proof", "same_deposit")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="the least"),
        pytest.param({"account": {"username": "user-acct"}}, id="by username"),
        pytest.param({"deposit_id": "dep"}, id="with the deposit"),
        pytest.param({"payment_proof": "pi_dep"}, id="with the payment"),
        pytest.param({"payment_proof": "ch_unknown"}, id="with a charge, which only the processor knows"),
        pytest.param({"rail": "crypto", "payment_proof": DEP_HASH.upper().replace("X", "x")}, id="hash in capitals"),
        pytest.param({"requested_at": (NOON + timedelta(minutes=5)).isoformat()}, id="five minutes ahead"),
        pytest.param({"channel": "email", "payment_proof": "pi_nothing"}, id="a mail whose proof matches nothing"),
    ],
)
def test_a_good_request_becomes_a_row_that_is_checked_next(two_rails: Scene, change: dict[str, Any]) -> None:
    refund = two_rails.request(**change)

    assert two_rails.row(refund).status == RefundStatus.CHECKING
    assert two_rails.events(refund) == ["refund.requested"]


@pytest.mark.parametrize(
    ("requester", "channel", "level"),
    [
        pytest.param(HELPDESK, "ticket", OwnershipLevel.HELPDESK_ASSERTED, id="help desk, logged in"),
        pytest.param(HELPDESK, "email", OwnershipLevel.UNVERIFIED, id="help desk, by mail"),
        pytest.param(Requester(name="ada", is_helpdesk=False), "ticket", OwnershipLevel.UNVERIFIED, id="an operator"),
        pytest.param(DIRECT, "ticket", OwnershipLevel.UNVERIFIED, id="started without the API"),
    ],
)
def test_only_a_help_desk_can_vouch_that_the_customer_is_logged_in(
    two_rails: Scene, requester: Requester, channel: str, level: OwnershipLevel
) -> None:
    refund = two_rails.request(requester=requester, channel=channel)

    assert two_rails.row(refund).ownership == level


def test_a_run_started_without_the_api_has_nobody_who_vouches(two_rails: Scene) -> None:
    state = two_rails.intake.accept_direct(two_rails.request_body())

    assert two_rails.row(state.refund_id).ownership == OwnershipLevel.UNVERIFIED


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="the same"),
        pytest.param({"rail": "crypto"}, id="another rail"),
        pytest.param({"account": {"id": "nobody"}}, id="an account that does not exist"),
        pytest.param({"payment_proof": "pi_dep"}, id="a proof that nobody waits for"),
    ],
)
def test_the_same_ticket_again_is_the_same_refund_whatever_else_it_says(
    two_rails: Scene, change: dict[str, Any]
) -> None:
    refund = two_rails.request()
    before = two_rails.views.refund(refund)

    again = two_rails.request(**change)

    assert again == refund
    assert two_rails.views.refund(refund) == before


def test_a_refund_is_found_by_its_id(two_rails: Scene) -> None:
    refund = two_rails.request()

    found = two_rails.intake.find(refund)

    assert found is not None
    assert (found.refund_id, found.ticket) == (refund, "desk:1")
    assert two_rails.intake.find("rf_unknown") is None
