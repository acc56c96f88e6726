"""Rails over HTTP: anyone on duty stops, two people start."""

from tests.api.front import Front, problem


def test_two_people_start_what_one_person_stopped(front: Front) -> None:
    stopped = front.call("vera", "POST", "/v1/rails/card/stop", {"reason": "odd payouts"})
    first = front.call("ann", "POST", "/v1/rails/card/start", {"reason": "mended"})
    same = front.call("ann", "POST", "/v1/rails/card/start", {"reason": "really"})
    second = front.call("bob", "POST", "/v1/rails/card/start", {"reason": "seen"})

    assert (stopped.status_code, stopped.json()["waiting_for"]) == (200, "two_people")
    assert (first.json()["is_stopped"], first.json()["waiting_for"]) == (True, "second_person")
    assert same.json() == first.json()
    assert (second.json()["is_stopped"], second.json()["waiting_for"]) == (False, None)


def test_list_shows_every_rail_and_who_stopped_it(front: Front) -> None:
    front.call("vera", "POST", "/v1/rails/crypto/stop", {"reason": "odd payouts"})

    card, crypto = front.call("vera", "GET", "/v1/rails").json()["items"]

    assert (card["rail"], card["is_stopped"]) == ("card", False)
    assert (crypto["rail"], crypto["stopped_by"], crypto["reason"]) == ("crypto", "vera", "odd payouts")


def test_stop_is_listed_as_a_finding_with_the_call_that_ends_it(front: Front) -> None:
    front.call("vera", "POST", "/v1/rails/card/stop", {"reason": "odd payouts"})

    (finding,) = front.call("vera", "GET", "/v1/findings?kind=rail_stop").json()["items"]

    assert finding["remedies"][0]["call"]["path"] == "/v1/rails/card/start"
    problem(front.call("ann", "POST", f"/v1/findings/{finding['id']}/close", {"reason": "x"}), 409, "conflict")


def test_rail_of_no_kind_and_a_missing_reason_are_named(front: Front) -> None:
    problem(front.call("vera", "POST", "/v1/rails/cash/stop", {"reason": "x"}), 422, "invalid-request", "rail")
    problem(front.call("vera", "POST", "/v1/rails/card/stop", {}), 422, "invalid-request", "reason")


def test_one_chain_is_stopped_and_started_alone(front: Front) -> None:
    stopped = front.call("vera", "POST", "/v1/rails/crypto/stop", {"reason": "odd", "chain_id": 31337}).json()
    listed = front.call("vera", "GET", "/v1/rails").json()["items"]
    front.call("ann", "POST", "/v1/rails/crypto/start", {"reason": "mended", "chain_id": 31337})
    started = front.call("bob", "POST", "/v1/rails/crypto/start", {"reason": "seen", "chain_id": 31337}).json()

    assert (stopped["chain_id"], stopped["is_stopped"], stopped["pause_reason"]) == (31337, True, None)
    assert [(it["rail"], it["chain_id"], it["is_stopped"]) for it in listed] == [
        ("card", None, False),
        ("crypto", None, False),
        ("crypto", 31337, True),
    ]
    assert not started["is_stopped"]


def test_the_finding_of_a_stopped_chain_names_the_call_that_starts_it(front: Front) -> None:
    front.call("vera", "POST", "/v1/rails/crypto/stop", {"reason": "odd", "chain_id": 31337})

    (finding,) = front.call("vera", "GET", "/v1/findings?kind=rail_stop").json()["items"]

    call = finding["remedies"][0]["call"]
    assert (call["path"], call["body"]) == ("/v1/rails/crypto/start", {"chain_id": 31337})


def test_a_count_of_nonces_belongs_to_a_chain_and_a_chain_to_crypto(front: Front) -> None:
    start = "/v1/rails/{}/start"
    front.call("vera", "POST", "/v1/rails/crypto/stop", {"reason": "odd"})

    nowhere = front.call("ann", "POST", start.format("crypto"), {"reason": "x", "adopt_nonce": 7})
    by_card = front.call("ann", "POST", start.format("card"), {"reason": "x", "chain_id": 1})

    problem(nowhere, 422, "invalid-request", "adopt_nonce")
    problem(by_card, 409, "conflict", "chain_id")
