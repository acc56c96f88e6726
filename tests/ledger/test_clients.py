"""Who may call: tokens are shown once and kept only as hashes."""

import hashlib

import pytest
from sqlalchemy import select, text

from domain.errors import Conflict
from domain.people import Role
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
