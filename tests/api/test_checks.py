"""A dry run over HTTP: the same body as a refund's, or a deposit alone."""

import pytest

from tests.api.front import REQUEST, Front, problem


@pytest.mark.parametrize("caller", ["desk", "vera"])
def test_same_body_as_a_refund_s_gets_the_verdict_and_starts_nothing(front: Front, caller: str) -> None:
    front.scene.funded()

    answer = front.call(caller, "POST", "/v1/checks", REQUEST)

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["status"], told["verdict"]["outcome"]) == ("awaiting_approval", "pass")
    assert (told["account_id"], told["deposit_id"], told["approvals_needed"]) == ("acct", "dep", 1)
    assert front.refunds() == []
    assert front.runs.calls == 0


def test_deposit_alone_is_enough(front: Front) -> None:
    front.scene.funded()

    told = front.call("vera", "POST", "/v1/checks", {"deposit_id": "dep"}).json()

    assert (told["status"], told["refund_id"], told["rail"]) == ("awaiting_approval", None, "card")


def test_nothing_named_is_refused(front: Front) -> None:
    problem(
        front.call("vera", "POST", "/v1/checks", {"rail": "card"}), 422, "invalid-request", "body", "names_deposit"
    )
    problem(front.call("vera", "POST", "/v1/checks", {"deposit_id": "no"}), 422, "invalid-request", "deposit_id")


def test_without_a_worker_it_is_to_be_tried_again(front: Front) -> None:
    front.scene.funded()
    front.runs.is_away = True

    answer = front.call("vera", "POST", "/v1/checks", {"deposit_id": "dep"})

    problem(answer, 503, "try-again")
    assert answer.headers["retry-after"] == "1"
