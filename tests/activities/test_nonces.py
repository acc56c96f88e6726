"""Whom a turn tries to give a nonce: the oldest first, and nobody never."""

import pytest

from activities.nonces import groups_to_try
from domain.money import NATIVE
from domain.outbox import IN_FLIGHT_MAX, QueuedPayout
from domain.transfers import Outgoing
from tests.fakes import CHAIN_ID, SENDER, WALLET

OUTGOING = Outgoing(chain_id=CHAIN_ID, wallet=WALLET, to=SENDER, asset=NATIVE, amount_base_units=1)
WAITING = [QueuedPayout(refund_id=f"rf_{it}", attempt=1, outgoing=OUTGOING) for it in range(2 * IN_FLIGHT_MAX)]


@pytest.mark.parametrize("places", [1, 4, IN_FLIGHT_MAX])
def test_whoever_waits_is_tried_sooner_or_later_however_few_places_are_free(places: int) -> None:
    groups = [group for turn in range(len(WAITING)) for group in groups_to_try(WAITING, places, turn)]

    assert max(len(it) for it in groups) == places
    assert {it.refund_id for group in groups for it in group} == {it.refund_id for it in WAITING}


def test_each_turn_begins_with_the_oldest() -> None:
    assert [next(groups_to_try(WAITING, 4, turn)) for turn in range(3)] == [WAITING[:4]] * 3


def test_a_full_line_tries_nobody() -> None:
    assert [list(it) for it in groups_to_try(WAITING, 0, 7)] == [[], []]
