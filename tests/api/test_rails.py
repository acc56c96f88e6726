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
