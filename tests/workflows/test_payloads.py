"""What the sandbox's runner takes for granted of the converter, and what a run would otherwise pay for."""

from temporalio.converter import WithSerializationContext

from domain.refunds import RefundState, RefundStatus
from workflows import payloads


def test_no_part_of_the_converter_asks_what_a_payload_belongs_to() -> None:
    inside = payloads.Pydantic()
    parts = [*inside.converters.values(), payloads.converter.failure_converter]

    assert not any(isinstance(part, WithSerializationContext) for part in parts)
    assert (payloads.converter.payload_codec, payloads.converter.external_storage) == (None, None)


def test_converters_of_all_runs_are_made_of_the_same_parts() -> None:
    first, second = (payloads.Pydantic() for _ in range(2))

    assert first.converters == second.converters


def test_a_refund_comes_back_as_it_was_written() -> None:
    refund = RefundState(refund_id="rf_1", version=1, status=RefundStatus.CHECKING)
    converter = payloads.converter.payload_converter

    written = converter.to_payloads([refund])

    assert converter.from_payloads(written, [RefundState]) == [refund]
    assert written[0].metadata["encoding"] == b"json/plain"
