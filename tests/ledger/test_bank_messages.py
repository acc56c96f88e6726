"""What the customer hears of a card refund: a credit or a vanished charge, the bank's reference, a failure later."""

import pytest

from domain.disputes import DisputeStage, SeenDispute
from domain.payouts import BankReference, CardDestination, PayoutOutcome, PayoutStatus
from domain.refunds import StatusReason
from tests.ledger.bank import dispute, look
from tests.ledger.scene import Scene

SUCCEEDED, PENDING, FAILED = PayoutStatus.SUCCEEDED, PayoutStatus.PENDING, PayoutStatus.FAILED


@pytest.fixture
def refund(scene: Scene) -> str:
    scene.funded()
    return scene.refunded()


def told_by_bank(kind: CardDestination, reference: str | None = None) -> BankReference:
    return BankReference(destination_type=kind, reference=reference, reference_type="acquirer_reference_number")


def told(scene: Scene, refund: str) -> dict[str, str]:
    scene.messages.answer(refund)
    return {it["kind"]: it["text"] for it in scene.views.refund(refund)["messages"]}


def shown(scene: Scene, refund: str, status: PayoutStatus, shown_by_bank: BankReference | None) -> None:
    outcome = PayoutOutcome(status=status, provider_ref="re_1", bank=shown_by_bank)
    scene.payouts.record_outcome(refund, 1, outcome)


@pytest.mark.parametrize(
    ("locale", "kind", "words"),
    [
        ("en", CardDestination.REFUND, "a credit, usually within 5 to 10 business days."),
        ("en", CardDestination.REVERSAL, "the charge disappears, no separate credit appears"),
        ("en", CardDestination.PENDING, "or takes the original charge off your statement instead"),
        ("zh-CN", CardDestination.REFUND, "5 至 10 个工作日内显示为一笔入账。"),
        ("zh-CN", CardDestination.REVERSAL, "该笔扣款将消失"),
    ],
    ids=["refund", "reversal", "not known yet", "refund in Chinese", "reversal in Chinese"],
)
def test_a_reversal_and_a_refund_are_told_apart(scene: Scene, locale: str, kind: CardDestination, words: str) -> None:
    scene.funded()
    refund = scene.paying(locale=locale)

    shown(scene, refund, PENDING, told_by_bank(CardDestination.PENDING))
    assert told(scene, refund) == {}, "what is merely pending is told by nobody"
    shown(scene, refund, SUCCEEDED, told_by_bank(kind))

    assert words in told(scene, refund)["refunded/paid"]
    assert "{" not in told(scene, refund)["refunded/paid"]


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_banks_reference_is_kept_and_told_when_it_comes(scene: Scene, locale: str) -> None:
    scene.funded()
    refund = scene.paying(locale=locale)
    shown(scene, refund, SUCCEEDED, told_by_bank(CardDestination.REFUND))
    assert list(told(scene, refund)) == ["refunded/paid"]

    for reference in ("7453", "7453", None):
        shown(scene, refund, SUCCEEDED, told_by_bank(CardDestination.REFUND, reference))

    assert set(told(scene, refund)) == {"refunded/paid", "refunded/reference"}
    assert "7453" in told(scene, refund)["refunded/reference"]
    (payout,) = scene.views.refund(refund)["payouts"]
    assert (payout["reference"], payout["destination_type"]) == ("7453", "refund")


def test_a_reference_that_was_there_at_once_is_told_with_the_refund(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()

    shown(scene, refund, SUCCEEDED, told_by_bank(CardDestination.REFUND, "7453"))

    assert list(told(scene, refund)) == ["refunded/paid"]
    assert "7453" in told(scene, refund)["refunded/paid"]


def test_a_refund_that_turns_out_a_reversal_is_told_as_one(scene: Scene, refund: str) -> None:
    told(scene, refund)

    for _ in range(2):
        shown(scene, refund, SUCCEEDED, told_by_bank(CardDestination.REVERSAL))

    assert set(told(scene, refund)) == {"refunded/paid", "refunded/reversal"}


@pytest.mark.parametrize(
    ("seen", "words"),
    [([], "came back to us"), ([dispute(DisputeStage.CHARGEBACK)], "decided by that dispute")],
    ids=["by the bank", "by a dispute"],
)
def test_a_refund_that_failed_after_it_was_told_is_told_anew(
    scene: Scene, refund: str, seen: list[SeenDispute], words: str
) -> None:
    told(scene, refund)

    for _ in range(2):
        look(scene, refund, FAILED, *seen)

    assert set(told(scene, refund)) == {"refunded/paid", "needs_attention/payout_failed"}
    assert words in told(scene, refund)["needs_attention/payout_failed"]


@pytest.mark.parametrize("between", [PENDING, PayoutStatus.UNKNOWN], ids=str)
def test_a_refund_that_failed_by_a_detour_after_it_was_told_is_told_anew(
    scene: Scene, refund: str, between: PayoutStatus
) -> None:
    told(scene, refund)
    unclear = StatusReason.PAYOUT_UNKNOWN if between == PayoutStatus.UNKNOWN else None
    scene.outcome(refund, between, unclear)

    look(scene, refund, FAILED)

    assert set(told(scene, refund)) == {"refunded/paid", "needs_attention/payout_failed"}


def test_a_refund_that_failed_before_it_was_told_needs_no_taking_back(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()

    look(scene, refund, FAILED)

    assert told(scene, refund) == {}
