"""Who may call: tokens are shown once and kept only as hashes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from domain.errors import Conflict, NotAllowed, NotFound
from domain.people import Role
from domain.refunds import RefundStatus
from ledger.clients import Caller
from ledger.tables import Client
from tests.ledger.scene import Scene


def test_a_token_names_its_caller(scene: Scene) -> None:
    token = scene.clients.add("zoe", Role.APPROVER, actor="setup")

    assert scene.clients.by_token(token) == Caller(name="zoe", role=Role.APPROVER)


@pytest.mark.parametrize("token", ["", "rfd_wrong", "zoe"], ids=["none", "another", "a name"])
def test_whatever_else_names_nobody(scene: Scene, token: str) -> None:
    scene.clients.add("zoe", Role.APPROVER, actor="setup")

    assert scene.clients.by_token(token) is None


def test_only_the_hash_of_a_token_is_kept(scene: Scene) -> None:
    token = scene.clients.add("zoe", Role.APPROVER, actor="setup")

    with scene.database.read() as session:
        row = session.get_one(Client, "zoe")
        trail = str(session.execute(text("SELECT * FROM audit_entries")).all())

    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert scene.clients.by_token(row.token_hash) is None
    assert token not in trail
    assert row.token_hash not in trail


def test_tokens_are_long_and_never_the_same(scene: Scene) -> None:
    tokens = {scene.clients.add(f"caller {number}", Role.VIEWER, actor="setup") for number in range(5)}

    assert len(tokens) == 5
    assert all(len(token) >= 43 for token in tokens)  # 256 bits in base 64


def test_a_given_token_is_taken_as_it_is(scene: Scene) -> None:
    assert scene.clients.add("zoe", Role.BILLING, actor="setup", token="chosen") == "chosen"
    assert scene.clients.by_token("chosen") is not None


def test_a_name_is_given_once(scene: Scene) -> None:
    with pytest.raises(Conflict) as refused:
        scene.clients.add("ann", Role.ADMIN, actor="setup")

    assert refused.value.field == "name"


def test_who_was_dismissed_is_nobody(scene: Scene) -> None:
    token = scene.clients.add("zoe", Role.ADMIN, actor="setup")

    scene.dismiss("zoe")

    assert scene.clients.by_token(token) is None
    with scene.database.read() as session:
        assert session.scalar(select(Client.role).where(Client.name == "zoe")) == Role.ADMIN


def test_deactivated_approver_s_approval_counts_no_longer_when_paying_begins(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund, "ann")

    scene.clients.set_active("ann", False, reason="left the company", actor="ada")

    assert scene.begin(refund).status == RefundStatus.AWAITING_APPROVAL
    scene.decide(refund, "bob")
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_last_admin_stays_and_two_cannot_remove_each_other(scene: Scene) -> None:
    with pytest.raises(Conflict) as refusal:
        scene.clients.set_active("ada", False, reason="by mistake", actor="ada")
    assert refusal.value.rule == "last_admin"


def test_deactivating_twice_is_written_once_and_can_be_taken_back(scene: Scene) -> None:
    for _ in range(2):
        assert not scene.clients.set_active("ann", False, reason="holiday", actor="ada")["is_active"]
    assert scene.clients.set_active("ann", True, reason="back", actor="ada")["is_active"]

    assert scene.audit_break() is None
    with pytest.raises(NotFound):
        scene.clients.set_active("nobody", False, reason="who?", actor="ada")
    with pytest.raises(NotAllowed):
        scene.clients.set_active("ann", False, reason="no", actor="bob")


def test_of_two_admins_who_deactivate_each_other_at_once_one_stays(scene: Scene) -> None:
    scene.clients.add("root", Role.ADMIN, actor="setup")

    def deactivate(actor: str, name: str) -> bool:
        try:
            scene.clients.set_active(name, False, reason="a quarrel", actor=actor)
        except (Conflict, NotAllowed):
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(deactivate, ("ada", "root"), ("root", "ada")))

    assert sorted(done) == [False, True]


def test_token_is_known_as_its_holder_s_also_while_they_may_not_call(scene: Scene) -> None:
    token = scene.clients.add("dora", Role.VIEWER, actor="setup")
    scene.clients.set_active("dora", False, reason="left", actor="ada")

    assert scene.clients.by_token(token) is None
    assert scene.clients.holds_token("dora", token)
    assert not scene.clients.holds_token("ann", token)
