"""`refunds request`, `show`, `list` and `withdraw`."""

import json

import pytest

from tests.cli.shell import NOWHERE, Shell
from tests.ledger.scene import Scene


@pytest.fixture
def account(scene: Scene, request: pytest.FixtureRequest) -> str:
    """An account with one deposit, named after the test so that tests do not meet."""
    name = f"acct-{abs(hash(request.node.name))}"
    scene.account(name)
    scene.deposit(f"dep-{name}", account_id=name)
    return name


def test_request_by_options_is_shown_and_found_again(shell: Shell, account: str) -> None:
    asked = ("request", "--ticket", f"zammad:{account}", "--account", account, "--rail", "card", "-o", "json")

    first, again = shell.run(*asked, caller="desk"), shell.run(*asked, caller="desk")

    assert first.status == 0, first.err
    assert again.json["id"] == first.json["id"]
    assert first.json["status"] == "checking"
    shown = shell.run("show", first.json["id"], caller="vera")
    assert shown.status == 0
    assert f"zammad:{account}" in shown.out
    assert "refund.requested" in shown.out
    listed = shell.run("list", "--account", account, caller="vera")
    assert first.json["id"] in listed.out
    assert listed.out.splitlines()[0].startswith("ID ")
    assert f"Recorded: zammad:{account} asks for refund {first.json['id']}." in first.err


def test_request_from_a_file_says_everything_in_json(shell: Shell, account: str) -> None:
    body = {
        "ticket": {"system": "zammad", "id": f"file-{account}"},
        "channel": "email",
        "account": {"id": account},
        "rail": "card",
        "requested_at": "2026-11-20T12:00:00Z",
    }

    done = shell.run("request", "--file", "-", "-o", "json", caller="desk", stdin=json.dumps(body))

    assert done.status == 0, done.err
    assert done.json["channel"] == "email"
    assert done.json["requested_at"] == "2026-11-20T12:00:00Z"


def test_refusal_tells_detail_field_and_rule_and_exits_with_one(shell: Shell, account: str) -> None:
    done = shell.run("request", "--ticket", "zammad:r", "--account", account, "--rail", "crypto", caller="desk")

    assert done.status == 1
    assert done.out == ""
    assert "invalid-request: rail: the account has no deposit paid by crypto" in done.err
    assert "field rail, rule deposit_on_rail" in done.err
    assert "Traceback" not in done.err


def test_withdrawal_is_recorded(shell: Shell, account: str) -> None:
    asked = ("request", "--ticket", f"zammad:w-{account}", "--account", account, "--rail", "card", "-o", "json")
    refund = shell.run(*asked, caller="desk").json["id"]

    done = shell.run("withdraw", refund, "--reason", "found it", "-o", "json", caller="desk")

    assert done.status == 0, done.err
    assert "Recorded: the customer withdrew" in done.err
    assert "withdrawal.recorded" in [entry["event"] for entry in done.json["timeline"]]


def test_list_pages_with_a_cursor(shell: Shell, scene: Scene, account: str) -> None:
    for number in range(3):
        scene.request(f"{account}-{number}", account={"id": account})

    first = shell.run("list", "--account", account, "--limit", "2", "-o", "json", caller="vera")
    cursor = first.json["next_cursor"]
    second = shell.run("list", "--account", account, "--limit", "2", "--cursor", cursor, "-o", "json", caller="vera")

    assert len({item["id"] for item in first.json["items"] + second.json["items"]}) == 3
    assert second.json["next_cursor"] is None


WRONG_USAGE = {
    "no token": (("list",), None, {}),
    "an address that is none": (("list",), "vera", {"REFUNDS_API_URL": "localhost:8000"}),
    "a token with a line break": (("list",), None, {"REFUNDS_TOKEN": "a\nb"}),
    "an unknown status": (("list", "--status", "gone"), "vera", {}),
    "an unknown format": (("list", "-o", "yaml"), "vera", {}),
    "an unknown command": (("refund",), "vera", {}),
    "a request without its ticket": (("request", "--rail", "card"), "desk", {}),
}


@pytest.mark.parametrize(("arguments", "caller", "environment"), WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_exits_with_two(
    shell: Shell, arguments: tuple[str, ...], caller: str | None, environment: dict[str, str]
) -> None:
    done = shell.run(*arguments, caller=caller, **environment)

    assert done.status == 2
    assert done.out == ""
    assert "Traceback" not in done.err


def test_api_that_is_away_exits_with_three(shell: Shell) -> None:
    done = shell.run("list", caller="vera", REFUNDS_API_URL=NOWHERE)

    assert (done.status, done.out) == (3, "")
    assert "does not answer" in done.err


def test_unknown_token_is_a_refusal(shell: Shell) -> None:
    done = shell.run("list", REFUNDS_TOKEN="rfd_wrong")

    assert done.status == 1
    assert "not-authenticated" in done.err
    assert "rfd_wrong" not in done.err


@pytest.mark.parametrize("ticket", ["4711", "zammad:", ":4711"])
def test_ticket_without_its_system_or_id_is_wrong_usage_with_an_example(shell: Shell, ticket: str) -> None:
    done = shell.run("request", "--ticket", ticket, "--account", "a", "--rail", "card", caller="desk")

    assert (done.status, done.out) == (2, "")
    assert done.err == "--ticket is system:id, such as zammad:4711.\n"
