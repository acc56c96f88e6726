"""How objects become Temporal's payloads and come back: pydantic's JSON."""

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter


class Pydantic(PydanticPayloadConverter):
    """The library's converter, made of parts that are built once.

    The library makes a converter for each run and two for each of its tasks; each would build its JSON part, and
    learn every type, anew.
    """

    def __init__(self) -> None:
        CompositePayloadConverter.__init__(self, *_PARTS)


_PARTS = tuple(PydanticPayloadConverter().converters.values())

converter = DataConverter(payload_converter_class=Pydantic)
