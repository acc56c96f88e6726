"""A card number that is pasted anywhere is refused by its field, or masked, and stands in no table afterwards."""

import re
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from ledger.tables.base import Row
from tests.api.front import ACCOUNT, DEPOSIT, ORDER, REQUEST, Front
from tests.ledger.scene import Scene

NUMBER = "4242424242424242"
PASTED = ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"]


def everything_stored(scene: Scene) -> str:
    """Read every column of every table there is, as text."""
    metadata = MetaData()
    with scene.database.engine.connect() as connection:
        metadata.reflect(connection)
        assert set(metadata.tables) >= set(Row.metadata.tables)
        rows = [row for table in metadata.tables.values() for row in connection.execute(select(table)).all()]
    return "\n".join(str(tuple(row)) for row in rows)


def holds_number(text: str) -> bool:
    return NUMBER in re.sub(r"[\s\-*]", "", text)


def with_field(body: dict[str, Any], path: str, value: str) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return body | {name: with_field(body.get(name) or {}, rest, value) if rest else value}


@pytest.mark.parametrize("pasted", PASTED, ids=["digits", "spaces", "dashes"])
@pytest.mark.parametrize(
    "path",
    [
        "ticket.system",
        "ticket.id",
        "ticket.url",
        "account.id",
        "account.username",
        "channel",
        "rail",
        "deposit_id",
        "payment_proof",
        "session_claim",
        "requested_at",
        "locale",
        "made_up",
    ],
)
def test_no_field_of_a_request_takes_a_card_number(scene: Scene, front: Front, path: str, pasted: str) -> None:
    scene.funded()
    forms = {"ticket.url": f"https://desk.example/{pasted.replace(' ', '%20')}", "locale": f"en-{pasted}"}
    body = {**REQUEST, "account": {}} if path == "account.username" else REQUEST

    answer = front.call("desk", "POST", "/v1/refunds", with_field(body, path, forms.get(path, pasted)))

    assert answer.status_code == 422
    assert answer.json()["field"].startswith(path.partition(".")[0])
    assert not holds_number(answer.text)
    assert not holds_number(everything_stored(scene))


@pytest.mark.parametrize("proof", [f"pi_{NUMBER}", f"ch_{NUMBER}"])
def test_a_card_number_dressed_up_as_a_payment_is_refused(scene: Scene, front: Front, proof: str) -> None:
    scene.funded()

    answer = front.call("desk", "POST", "/v1/refunds", {**REQUEST, "payment_proof": proof})

    assert (answer.status_code, answer.json()["field"]) == (422, "payment_proof")
    assert not holds_number(everything_stored(scene))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"/v1/accounts/{NUMBER}", ACCOUNT, "account_id"),
        ("/v1/accounts/a", ACCOUNT | {"username": NUMBER}, "username"),
        ("/v1/accounts/a", ACCOUNT | {"email": f"{NUMBER}@example.com"}, "email"),
        ("/v1/deposits/d", DEPOSIT | {"terms_version": NUMBER}, "terms_version"),
        (f"/v1/deposits/{NUMBER}", DEPOSIT, "deposit_id"),
        (f"/v1/orders/{NUMBER}", ORDER, "order_id"),
    ],
)
def test_no_field_of_the_feed_takes_a_card_number(
    scene: Scene, front: Front, path: str, body: dict[str, Any], field: str
) -> None:
    scene.funded()

    answer = front.call("shop", "PUT", path, body)

    assert (answer.status_code, answer.json()["rule"]) == (422, "card_number")
    assert not holds_number(answer.text)
    assert not holds_number(everything_stored(scene))


@pytest.mark.parametrize("pasted", PASTED, ids=["digits", "spaces", "dashes"])
def test_what_people_write_is_kept_with_the_number_masked(scene: Scene, front: Front, pasted: str) -> None:
    scene.funded()
    refund = scene.request("1")
    words = f"the customer says {pasted} is their card"

    withdrawn = front.call("desk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": words})
    stopped = front.call("vera", "POST", "/v1/rails/card/stop", {"reason": words})

    assert (withdrawn.status_code, stopped.status_code) == (202, 200)
    assert "4242 is their card" in stopped.json()["reason"]
    assert not holds_number(everything_stored(scene))
