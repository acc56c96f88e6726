"""`refunds request`, `show`, `list` and `withdraw`."""

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.checkup import api
from tests.cli.shell import NOWHERE, Shell
from tests.ledger.scene import Scene


@pytest.fixture
def account(scene: Scene, request: pytest.FixtureRequest) -> str:
    """An account with one deposit, named after the test so that tests do not meet."""
    name = f"acct-{sha256(request.node.name.encode()).hexdigest()[:12]}"
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


OTHER_CONTENT = {
    "another refund": {
        "--account": ("acct-none", "account.id: asked now acct-none, recorded {account}"),
        "--rail": ("crypto", "rail: asked now crypto, recorded card"),
        "--channel": ("email", "channel: asked now email, recorded ticket"),
        "--deposit": ("dep-other", "deposit_id: asked now dep-other, recorded d{number}"),
        "--proof": ("pi_other", "payment_proof: asked now pi_other, recorded pi_d{number}"),
    },
    "the same one otherwise": {
        "--ticket-url": ("https://x.test/1", "ticket.url: asked now https://x.test/1, recorded -"),
        "--requested-at": ("2026-01-01T12:00:00Z", "requested_at: asked now 2026-01-01 12:00:00+00:00, recorded 20"),
    },
}


@pytest.mark.parametrize("changes", OTHER_CONTENT.values(), ids=OTHER_CONTENT.keys())
def test_known_ticket_that_asks_otherwise_is_refused_with_all_that_differs(
    shell: Shell, scene: Scene, changes: dict[str, tuple[str, str]], request: pytest.FixtureRequest
) -> None:
    number = sha256(request.node.name.encode()).hexdigest()[:12]
    account = scene.account(f"acct-{number}")
    scene.deposit(f"d{number}", account_id=account)
    refund = scene.awaiting_approval(number, account={"id": account})
    ticket = scene.views.refund(refund)["ticket"]
    same = {"--ticket": f"{ticket['system']}:{ticket['id']}", "--account": account, "--rail": "card"}
    same |= {"--deposit": f"d{number}", "--proof": f"pi_d{number}"}
    events = scene.events(refund)

    again = shell.run("request", *flat(same), caller="desk")
    other = shell.run("request", *flat(same | {name: it for name, (it, _) in changes.items()}), caller="desk")

    assert again.status == 0, again.err
    assert f"is known: it asked for refund {refund}" in again.err
    assert "Recorded" not in again.err
    assert (other.status, other.out) == (1, "")
    told = [line for line in other.err.splitlines() if line.startswith("  ")]
    expected = [it.format(account=account, number=number) for _, it in changes.values()]
    assert len(told) == len(expected)
    assert all(line.startswith(f"  {it}") for line, it in zip(sorted(told), sorted(expected), strict=True))
    assert f"`refunds show {refund}`" in other.err
    assert scene.events(refund) == events


def test_repeated_mail_brings_the_proof_that_was_missing(shell: Shell, scene: Scene, account: str) -> None:
    refund = scene.request(account, account={"id": account}, channel="email")
    assert scene.check(refund).waiting_for == "payment_proof"
    ticket = f"{scene.row(refund).ticket_system}:{account}"
    mail = {"--ticket": ticket, "--account": account, "--rail": "card", "--channel": "email", "--proof": "pi_1"}

    of_another = shell.run("request", *flat(mail | {"--account": "acct-other"}), caller="desk")
    before = scene.row(refund).payment_proof
    done = shell.run("request", *flat(mail), caller="desk")

    assert (of_another.status, before) == (1, None)
    assert done.status == 0, done.err
    assert f"Recorded: {ticket} brings the proof of payment that was missing." in done.err
    assert scene.row(refund).payment_proof == "pi_1"


def test_what_a_refund_does_not_show_is_named_as_not_compared(shell: Shell, scene: Scene, account: str) -> None:
    refund = scene.request(account, account={"id": account})
    ticket = f"{scene.row(refund).ticket_system}:{account}"
    hidden = ("--username", "who", "--proof", "ch_1", "--locale", "zh")

    done = shell.run("request", "--ticket", ticket, "--rail", "card", *hidden, caller="desk")

    assert done.status == 0, done.err
    assert f"of account {account} before" in done.err
    assert "Not compared, as the refund does not show it: account.username, payment_proof, locale." in done.err


def flat(options: dict[str, str]) -> list[str]:
    """Write options as arguments."""
    return [word for pair in options.items() for word in pair]


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


class Stranger(BaseHTTPRequestHandler):
    """A service that is not ours; the path that it was given says what it answers."""

    def do_GET(self) -> None:
        status, kind, body = STRANGERS[self.path.split("/")[1]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


STRANGERS = {
    "refusing": (404, "application/json", b'{"error": {"message": "No such key: rfd_vera_token"}}'),
    "pages": (200, "text/html", b"<!doctype html>\x1b[2J" + b"x" * 1000),
    "list": (200, "application/json", b"[]"),
    "other": (200, "application/json", b'{"jsonrpc": "2.0"}'),
    "empty": (405, "text/plain", b""),
    "proxy": (502, "text/html", b"Bad Gateway"),
}


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """The address of a service that is not ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", STRANGERS)
def test_other_service_at_the_address_is_named_with_what_it_answered(shell: Shell, stranger: str, kind: str) -> None:
    done = shell.run("list", caller="vera", REFUNDS_API_URL=f"{stranger}/{kind}")

    assert (done.status, done.out) == (3, "")
    assert f"{stranger}/{kind} answered GET /v1/refunds with {STRANGERS[kind][0]}" in done.err
    assert "REFUNDS_API_URL" in done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    assert "rfd_vera_token" not in done.err
    assert len(done.err) < 500


def test_doctor_tells_another_service_from_an_api_that_is_not_ready(shell: Shell, stranger: str) -> None:
    (check,) = api.examine(f"{stranger}/refusing", "rfd_vera_token")

    assert (check.name, check.is_reachable) == ("api.ready", False)
    assert "it is not the API" in check.told


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
