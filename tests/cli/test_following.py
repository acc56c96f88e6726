"""After an act: first what was recorded, then the refund as it is once something came of it."""

from typing import Any

import pytest

from cli import following
from cli.calls import Api, NotReachable
from cli.following import follow


class Answers(Api):
    """An API that gives these answers, the last one for ever; an error is raised."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0

    def get(self, path: str, query: dict[str, Any] | None = None, *, timeout_seconds: float = 30) -> Any:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return refund(answer)


def refund(status: str, reason: str | None = None) -> dict[str, Any]:
    return {"id": "rf_1", "status": status, "status_reason": reason}


def test_refund_is_shown_once_its_status_changed(capsys: pytest.CaptureFixture[str]) -> None:
    api = Answers("awaiting_approval", "paying", "refunded")

    seen = follow(api, "approved by you.", refund("awaiting_approval"), refund("awaiting_approval"))

    assert (seen["status"], api.asked) == ("paying", 2)
    assert capsys.readouterr().err == "Recorded: approved by you.\n"


@pytest.mark.parametrize(
    ("before", "answer"),
    [(refund("checking"), refund("paying")), (refund("refunded"), refund("refunded"))],
    ids=["changed already", "ended already"],
)
def test_nobody_waits_where_nothing_is_to_come(before: dict[str, Any], answer: dict[str, Any]) -> None:
    api = Answers("checking")

    assert follow(api, "done.", before, answer) == answer
    assert api.asked == 0


def test_api_that_goes_away_takes_back_nothing() -> None:
    answer = refund("paying", "new")

    assert follow(Answers(NotReachable("away")), "done.", answer, answer) == answer


def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.5)
    api = Answers("checking")

    seen = follow(api, "done.", refund("checking"), refund("checking"))

    assert seen["status"] == "checking"
    assert 1 <= api.asked <= 3
