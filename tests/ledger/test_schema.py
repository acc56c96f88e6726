"""What must be unique is refused by the database itself, whatever the code above it believes."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.payouts import DEAD, MAY_STILL_LAND, PAID
from ledger.billing import deposit_row
from ledger.tables import Account, Client, Decision, Hold, Order, Payout, Refund, Row
from tests.ledger.scene import CHAIN_ID, NOON, WALLET, Scene

OPEN_OR_CAPTURED = ["active", "captured"]
LIVE = sorted(MAY_STILL_LAND | PAID)


@pytest.fixture
def two(scene: Scene) -> tuple[str, str]:
    """Two refunds that may ask for the same deposit, and one more deposit."""
    scene.funded()
    scene.deposit("dep_2", rail="crypto")
    return scene.request("1", deposit_id="dep"), scene.request("2", deposit_id="dep")


def insert(scene: Scene, *rows: Row) -> None:
    with scene.database.write() as session:
        for row in rows:
            session.add(row)
            session.flush()


def hold(refund: str, state: str, deposit: str = "dep") -> Hold:
    return Hold(refund_id=refund, deposit_id=deposit, amount_minor=2000, currency="USD", state=state, moves=0)


def payout(refund: str, status: str, attempt: int = 1, **changes: Any) -> Payout:
    fields = {"deposit_id": "dep", "rail": "card", "begun_at": NOON, "updated_at": NOON, "detail": ""} | changes
    return Payout(refund_id=refund, attempt=attempt, status=status, **fields)


def chain_payout(refund: str, nonce: int | None, **changes: Any) -> Payout:
    chain = {"deposit_id": "dep_2", "rail": "crypto", "chain_id": CHAIN_ID, "wallet": WALLET}
    fields = {"status": "reverted"} | chain | changes
    return payout(refund, fields.pop("status"), nonce=nonce, **fields)


def decision(refund: str, **changes: Any) -> Decision:
    fields = {"decision_id": "d1", "operator": "ann", "action": "approve", "digest": "sha256:a"} | changes
    return Decision(refund_id=refund, acknowledge={"codes": []}, salt="s", recorded_at=NOON, **fields)


@pytest.mark.parametrize("rail", ["card", "crypto"])
def test_a_payment_backs_one_deposit(scene: Scene, rail: str) -> None:
    scene.funded(rail=rail)
    second = deposit_row(scene.deposit_record("dep", rail=rail))
    second.id = "dep_2"

    with pytest.raises(IntegrityError):
        insert(scene, second)


def test_a_deposit_is_never_of_nothing(scene: Scene) -> None:
    scene.account()
    row = deposit_row(scene.deposit_record("dep"))
    row.amount_minor = 0

    with pytest.raises(IntegrityError):
        insert(scene, row)


@pytest.mark.parametrize("second", OPEN_OR_CAPTURED)
@pytest.mark.parametrize("first", OPEN_OR_CAPTURED)
def test_a_deposit_has_one_hold(scene: Scene, two: tuple[str, str], first: str, second: str) -> None:
    insert(scene, hold(two[0], first))

    with pytest.raises(IntegrityError):
        insert(scene, hold(two[1], second))


def test_a_released_hold_makes_room_for_another(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, hold(two[0], "released"), hold(two[1], "active"))


@pytest.mark.parametrize("second", LIVE)
@pytest.mark.parametrize("first", ["queued", "succeeded"])
@pytest.mark.parametrize("is_same_refund", [True, False], ids=["of one refund", "of two refunds"])
def test_a_deposit_has_one_payout_that_may_land_or_did(
    scene: Scene, two: tuple[str, str], is_same_refund: bool, first: str, second: str
) -> None:
    insert(scene, payout(two[0], first))

    with pytest.raises(IntegrityError):
        insert(scene, payout(two[0 if is_same_refund else 1], second, attempt=2))


@pytest.mark.parametrize("first", sorted(DEAD))
def test_only_a_dead_payout_makes_room_for_another(scene: Scene, two: tuple[str, str], first: str) -> None:
    insert(scene, payout(two[0], first), payout(two[0], "queued", attempt=2))


ONE_MORE = text(
    "INSERT INTO payouts (refund_id, attempt, deposit_id, rail, status, detail, payment_intent, chain_id, is_buried,"
    " is_cancel_asked, is_failure_stored, unclear_answers, begun_at, updated_at) VALUES (:refund_id, :attempt,"
    " :deposit, :rail, :status, '', :payment_intent, :chain_id, false, false, false, 0, :now, :now)"
)


def insert_past_the_code(scene: Scene, refund: str, **changes: Any) -> None:
    """Insert a payout as somebody at the database's own prompt could."""
    said = {"attempt": 2, "deposit": "dep", "rail": "card", "status": "queued", "payment_intent": None} | changes
    with scene.database.engine.begin() as connection:
        connection.execute(ONE_MORE, {"refund_id": refund, "chain_id": None, "now": "2026-11-20 12:00:00"} | said)


def test_the_prompt_of_the_database_may_add_what_breaks_nothing(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, payout(two[0], "failed"))

    insert_past_the_code(scene, two[0])
    insert_past_the_code(scene, two[1], deposit="dep_2", rail="crypto", chain_id=CHAIN_ID)


@pytest.mark.parametrize("status", ["queued", "unknown", "succeeded", "paid_outside"])
@pytest.mark.parametrize("first", LIVE)
@pytest.mark.parametrize("other", [0, 1], ids=["of one refund", "of another refund"])
def test_no_prompt_of_the_database_gets_round_the_lock_over_a_deposit(
    scene: Scene, two: tuple[str, str], other: int, first: str, status: str
) -> None:
    insert(scene, payout(two[0], first))

    with pytest.raises(IntegrityError):
        insert_past_the_code(scene, two[other], status=status)


@pytest.mark.parametrize(
    "way",
    [
        {"rail": "crypto", "chain_id": CHAIN_ID},
        {"rail": "bank"},
        {"deposit": "dep_2", "rail": "card", "payment_intent": "pi_1"},
        {"deposit": "dep_2", "rail": "crypto", "payment_intent": "pi_1"},
        {"chain_id": CHAIN_ID},
    ],
    ids=[
        "card deposit by crypto",
        "by a third rail",
        "crypto deposit by card",
        "crypto deposit to a card payment",
        "card deposit to a chain",
    ],
)
def test_a_deposit_is_paid_back_on_its_own_rail_only(scene: Scene, two: tuple[str, str], way: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        insert_past_the_code(scene, two[0], **way)


def test_an_attempt_has_one_payout(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, payout(two[0], "failed"))

    with pytest.raises(IntegrityError):
        insert(scene, payout(two[0], "failed"))


def test_a_nonce_of_a_wallet_belongs_to_one_payout(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, chain_payout(two[0], 7))

    with pytest.raises(IntegrityError):
        insert(scene, chain_payout(two[1], 7))


@pytest.mark.parametrize(
    "change",
    [{"nonce": 8}, {"chain_id": 1}, {"wallet": "0x" + "bb" * 20}],
    ids=["another nonce", "another chain", "another wallet"],
)
def test_elsewhere_the_same_nonce_is_another(scene: Scene, two: tuple[str, str], change: dict[str, Any]) -> None:
    insert(scene, chain_payout(two[0], 7), chain_payout(two[1], **({"nonce": 7} | change)))


@pytest.mark.parametrize(
    ("status", "nonce"),
    [("queued", 7), ("unknown", None), ("pending", None), ("succeeded", None), ("reverted", None), ("refused", 7)],
    ids=[
        "unsent with one",
        "unknown without",
        "pending without",
        "paid without",
        "reverted without",
        "refused with one",
    ],
)
def test_a_crypto_payout_has_a_nonce_exactly_when_it_may_have_been_sent(
    scene: Scene, two: tuple[str, str], status: str, nonce: int | None
) -> None:
    with pytest.raises(IntegrityError):
        insert(scene, chain_payout(two[0], nonce, status=status))


def test_an_operator_decides_once_on_a_digest(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, decision(two[0]))

    with pytest.raises(IntegrityError):
        insert(scene, decision(two[0], decision_id="d2", action="reject"))


def test_a_decision_s_id_is_used_once(scene: Scene, two: tuple[str, str]) -> None:
    insert(scene, decision(two[0]))

    with pytest.raises(IntegrityError):
        insert(scene, decision(two[1], operator="bob"))


@pytest.mark.parametrize(
    "change",
    [{"operator": "bob"}, {"digest": "sha256:b"}],
    ids=["another operator", "another digest"],
)
def test_another_operator_or_digest_is_another_decision(
    scene: Scene, two: tuple[str, str], change: dict[str, Any]
) -> None:
    insert(scene, decision(two[0]), decision(two[0], decision_id="d2", **change))


def test_who_is_not_known_decides_nothing(scene: Scene, two: tuple[str, str]) -> None:
    with pytest.raises(IntegrityError):
        insert(scene, decision(two[0], operator="nobody"))


def test_a_ticket_has_one_refund(scene: Scene, two: tuple[str, str]) -> None:
    known = scene.row(two[0])
    columns = {column.name: getattr(known, column.name) for column in Refund.__table__.columns}

    with pytest.raises(IntegrityError):
        insert(scene, Refund(**(columns | {"id": "rf_other"})))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            [Account(id="a", username="u", status="active"), Account(id="b", username="u", status="active")],
            id="two accounts of one username",
        ),
        pytest.param(
            [
                Client(name="a", role="viewer", token_hash="h", is_active=True),
                Client(name="b", role="viewer", token_hash="h", is_active=True),
            ],
            id="two callers of one token",
        ),
        pytest.param(
            [
                Order(
                    id="o",
                    account_id="nobody",
                    product="sms",
                    amount_minor=1,
                    currency="USD",
                    status="charged",
                    created_at=NOON,
                    moves=0,
                )
            ],
            id="an order of nobody",
        ),
    ],
)
def test_other_rows_that_contradict_each_other_are_refused(scene: Scene, rows: list[Row]) -> None:
    copies = [
        type(row)(**{column.name: getattr(row, column.name) for column in row.__table__.columns}) for row in rows
    ]

    with pytest.raises(IntegrityError):
        insert(scene, *copies)
