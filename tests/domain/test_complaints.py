"""What people read about a wrong field is ours, not the validation library's."""

from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.policy import Policy
from domain.refunds import RefundRequest

VERSION = {"version": "1", "in_force_from": "2026-01-01T00:00:00Z", "window_days": 14}
POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    "no versions": ({"versions": []}, "versions: must not be empty"),
    "nothing at all": ({}, "versions: must be given"),
    "a misspelt field": (
        {"versions": [VERSION], "handlng": {}},
        "handlng: is not a field here",
    ),
    "no number": (
        {"versions": [VERSION | {"window_days": "many"}]},
        "versions.0.window_days: must be a whole number",
    ),
    "too few": ({"versions": [VERSION | {"window_days": 0}]}, "versions.0.window_days: must be at least 1"),
    "a wait of nothing": (
        {"versions": [VERSION], "handling": {"customer_wait_days": 0}},
        "handling.customer_wait_days: must be more than 0",
    ),
    "the same version twice": (
        {"versions": [VERSION, VERSION]},
        "policy: two versions may share neither their name nor the moment they come into force",
    ),
}


@pytest.mark.parametrize(("raw", "told"), POLICIES.values(), ids=POLICIES.keys())
def test_fault_of_a_policy_is_told_in_plain_words(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Policy.parse(raw)

    assert refusal.value.message.rstrip(".") == told


def test_fault_of_a_request_is_told_in_plain_words_without_what_was_sent() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        RefundRequest.parse({"ticket": {"system": "Secret Desk", "id": "1"}})

    assert refusal.value.message == "ticket.system: must be written in small letters, such as zammad"
