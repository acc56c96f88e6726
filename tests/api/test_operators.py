"""Operators over HTTP: listed, deactivated, activated."""

from tests.api.front import CALLERS, Front, problem


def test_list_names_everybody_with_role_and_without_token(front: Front) -> None:
    answer = front.call("vera", "GET", "/v1/operators")

    assert {it["name"]: it["role"] for it in answer.json()["items"]} == {
        name: role.value for name, role in CALLERS.items()
    }
    assert "token" not in answer.text


def test_deactivated_operator_is_nobody_at_once_and_comes_back_with_the_same_token(front: Front) -> None:
    gone = front.call("ada", "POST", "/v1/operators/ann/deactivate", {"reason": "left"})
    assert gone.json() == {"name": "ann", "role": "approver", "is_active": False}
    problem(front.call("ann", "GET", "/v1/rails"), 401, "not-authenticated")

    back = front.call("ada", "POST", "/v1/operators/ann/activate", {"reason": "came back"})

    assert back.json()["is_active"]
    assert front.call("ann", "GET", "/v1/rails").status_code == 200


def test_last_admin_stays_and_nobody_is_not_found(front: Front) -> None:
    last = front.call("ada", "POST", "/v1/operators/ada/deactivate", {"reason": "by mistake"})
    problem(last, 409, "conflict", "name", "last_admin")
    problem(front.call("ada", "POST", "/v1/operators/zoe/deactivate", {"reason": "who"}), 404, "not-found")
    assert front.call("ada", "GET", "/v1/operators").status_code == 200


def test_name_with_a_slash_is_reached(front: Front) -> None:
    front.scene.clients.add("team/zoe", CALLERS["vera"], actor="setup")

    answer = front.call("ada", "POST", "/v1/operators/team%2Fzoe/deactivate", {"reason": "left"})

    assert answer.json()["name"] == "team/zoe"
