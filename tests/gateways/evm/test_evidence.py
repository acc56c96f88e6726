"""Several endpoints on one deposit: who is behind, who knows less, and who contradicts."""

import pytest

from domain.payments import ChainEvidence, ChainPayment, CodeKind, Settlement, TraceKind
from gateways.evm.evidence import agreed

BLOCK_HASH = "0x" + 64 * "b"
SENDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MISSING = ChainPayment(settlement=Settlement.MISSING)
POOLED = ChainPayment(settlement=Settlement.PENDING)
PENDING = ChainPayment(settlement=Settlement.PENDING, block_number=7)
FAILED = ChainPayment(settlement=Settlement.FAILED, block_number=7)
SEEN = ChainEvidence(block_hash=BLOCK_HASH, code_then=CodeKind.NONE, code_now=CodeKind.NONE, sender_nonce=3)
FINAL = ChainPayment(
    settlement=Settlement.FINAL, block_number=7, sender=SENDER, amount_base_units=10**16, evidence=SEEN
)


def seen(**changes: object) -> ChainPayment:
    return FINAL.model_copy(update={"evidence": SEEN.model_copy(update=changes)})


def test_answers_that_say_the_same_are_counted() -> None:
    together = agreed([FINAL, FINAL, FINAL])

    assert together == seen(endpoints=3)


@pytest.mark.parametrize(
    ("answers", "together"),
    [
        pytest.param([MISSING, MISSING], MISSING, id="nobody knows it"),
        pytest.param([MISSING, POOLED], POOLED, id="one has it in the pool"),
        pytest.param([PENDING, FINAL], PENDING, id="one calls the block final later"),
        pytest.param([PENDING, PENDING], PENDING, id="all wait"),
        pytest.param([FAILED, FAILED], FAILED, id="all saw it fail"),
    ],
)
def test_the_last_decides_how_settled_a_deposit_is(answers: list[ChainPayment], together: ChainPayment) -> None:
    assert agreed(answers) == together
    assert agreed(answers[::-1]) == together


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MISSING, id="not there"),
        pytest.param(FAILED, id="failed"),
        pytest.param(PENDING.model_copy(update={"block_number": 8}), id="in another block"),
        pytest.param(FINAL.model_copy(update={"sender": SENDER[:-1] + "9"}), id="another sender"),
        pytest.param(FINAL.model_copy(update={"amount_base_units": 1}), id="another amount"),
        pytest.param(FINAL.model_copy(update={"review": ("sender_is_contract",)}), id="another doubt"),
        pytest.param(seen(block_hash="0x" + 64 * "c"), id="another block of that height"),
        pytest.param(seen(log_index=1), id="another log"),
        pytest.param(seen(code_now=CodeKind.CONTRACT), id="other code now"),
        pytest.param(seen(code_then=CodeKind.CONTRACT), id="other code then"),
    ],
)
def test_contradictions_are_no_answer(other: ChainPayment) -> None:
    assert agreed([FINAL, other]) is None
    assert agreed([other, FINAL]) is None


def test_a_node_without_old_state_leaves_the_word_to_one_with_it() -> None:
    contract = seen(code_then=CodeKind.CONTRACT).model_copy(update={"review": ("sender_is_contract",)})
    forgot = seen(code_then=CodeKind.FORGOTTEN, sender_nonce=9)

    together = agreed([forgot, contract])

    assert together is not None
    assert (together.review, together.evidence) == (
        ("sender_is_contract",),
        SEEN.model_copy(update={"code_then": CodeKind.CONTRACT, "endpoints": 2}),
    )


def test_a_node_without_traces_leaves_the_word_to_one_with_them() -> None:
    blind = FINAL.model_copy(
        update={
            "sender": None,
            "amount_base_units": None,
            "review": ("not_traceable",),
            "evidence": ChainEvidence(
                block_hash=BLOCK_HASH, trace=TraceKind.UNAVAILABLE, balance_change_base_units=10**16
            ),
        }
    )
    traced = blind.model_copy(
        update={
            "amount_base_units": 10**16,
            "review": ("paid_by_contract",),
            "evidence": ChainEvidence(
                block_hash=BLOCK_HASH, trace=TraceKind.AVAILABLE, paid_by=SENDER, code_now=CodeKind.CONTRACT
            ),
        }
    )

    together = agreed([blind, traced])

    assert together is not None
    assert (together.review, together.amount_base_units) == (("paid_by_contract",), 10**16)


def test_trace_that_one_endpoint_alone_tells_names_no_payee() -> None:
    shown = {"block_hash": BLOCK_HASH, "code_now": CodeKind.NONE}
    blind = FINAL.model_copy(
        update={"sender": None, "evidence": ChainEvidence(block_hash=BLOCK_HASH, trace=TraceKind.UNAVAILABLE)}
    )
    traced = FINAL.model_copy(update={"evidence": ChainEvidence(**shown, trace=TraceKind.AVAILABLE, paid_by=SENDER)})

    alone, borne_out = agreed([blind, traced]), agreed([blind, traced, traced])

    assert alone is not None
    assert borne_out is not None
    assert (alone.sender, borne_out.sender) == (None, SENDER)


def test_what_forbids_a_payment_counts_whoever_says_it() -> None:
    forgot = seen(code_then=CodeKind.FORGOTTEN).model_copy(update={"hold": ("sender_is_frozen",)})

    together = agreed([FINAL, forgot])

    assert together is not None
    assert together.hold == ("sender_is_frozen",)


def test_keeper_that_one_endpoint_alone_recognises_stays_a_matter_for_a_person() -> None:
    knows_less = FINAL.model_copy(
        update={
            "review": ("sender_is_custodial",),
            "evidence": SEEN.model_copy(update={"code_then": CodeKind.FORGOTTEN, "sender_nonce": 9000}),
        }
    )

    together = agreed([FINAL, knows_less])

    assert together is not None
    assert together.review == ("sender_is_custodial",)
