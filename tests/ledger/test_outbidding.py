"""Further bytes under a payout's one nonce: stored once, whoever asks, and never for anything else."""

import pytest
from sqlalchemy.exc import IntegrityError

from domain.outbox import Purpose, SentPayout
from domain.transfers import Sighting, Transfer
from ledger.tables import ChainTransaction, Payout
from tests.ledger.scene import CHAIN_ID, PAID_CHAIN, TERMS, WALLET, Scene, raised, sign

MINED = Sighting(is_mined=True, block_number=9, succeeded=True)


@pytest.fixture
def sent(scene: Scene) -> SentPayout:
    scene.funded(rail="crypto")
    scene.sign(scene.paying("1", PAID_CHAIN, rail="crypto"))
    return only(scene)


def only(scene: Scene) -> SentPayout:
    (payout,) = scene.outbox.sent(CHAIN_ID, WALLET)
    return payout


def test_two_workers_who_saw_the_same_bytes_store_one_raise(scene: Scene, sent: SentPayout) -> None:
    stored = [scene.signing.raise_fee(sent, raised(TERMS), sign) for _ in range(2)]

    assert [it is not None for it in stored] == [True, False]
    assert [it.sequence for it in only(scene).transactions] == [1, 2]


def test_the_database_itself_refuses_two_raises_of_one_sequence(scene: Scene, sent: SentPayout) -> None:
    scene.signing.raise_fee(sent, raised(TERMS), sign)

    with scene.database.read() as session:
        known = session.query(ChainTransaction).filter_by(sequence=2).one()
    fields = {it.name: getattr(known, it.name) for it in ChainTransaction.__table__.columns}
    twin = ChainTransaction(**fields | {"tx_hash": "0x" + 64 * "9"})

    def store() -> None:
        with scene.database.write() as session:
            session.add(twin)

    with pytest.raises(IntegrityError):
        store()


def test_what_is_in_a_block_is_not_outbid(scene: Scene, sent: SentPayout) -> None:
    scene.sightings.record_sighting(sent, sent.newest, MINED)

    assert scene.signing.raise_fee(sent, raised(TERMS), sign) is None


def test_a_raise_for_something_else_than_was_signed_is_a_bug_and_stores_nothing(
    scene: Scene, sent: SentPayout
) -> None:
    with scene.database.write() as session:
        session.get_one(Payout, (sent.refund_id, 1)).destination = "0x" + "66" * 20

    with pytest.raises(AssertionError, match="never changes"):
        scene.signing.raise_fee(sent, raised(TERMS), sign)
    assert len(only(scene).transactions) == 1


def test_nothing_is_cancelled_unless_a_person_asked(scene: Scene, sent: SentPayout) -> None:
    assert scene.signing.sign_cancel(sent, raised(TERMS), sign) is None


def test_bytes_of_a_cancel_move_nothing(scene: Scene, sent: SentPayout) -> None:
    with scene.database.write() as session:
        session.get_one(Payout, (sent.refund_id, 1)).is_cancel_asked = True
    asked: list[Transfer] = []

    scene.signing.sign_cancel(only(scene), raised(TERMS), lambda it: (asked.append(it), sign(it))[1])

    assert [(it.to, it.amount_base_units, it.nonce) for it in asked] == [(WALLET, 0, 0)]
    assert only(scene).newest.purpose == Purpose.CANCEL
