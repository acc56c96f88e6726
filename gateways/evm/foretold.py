"""Questions that are known beforehand, asked of an endpoint in one request and answered from it afterwards."""

from collections.abc import Iterable
from typing import Any

from gateways.evm.endpoint import Asked, Endpoint, Question, Reply


class Foretold(Asked):
    """Answers what was foreseen from one request, the same to all who ask the same; asks on for everything else.

    It only saves requests: who asks reads each answer, and each error, as if it had been asked for alone.
    """

    def __init__(self, endpoint: Endpoint, questions: Iterable[Question]) -> None:
        """Ask at once; `TryAgain` where no readable answer came back."""
        self.name = endpoint.name
        self._endpoint = endpoint
        foreseen = {repr(it): it for it in questions}
        self._told = dict(zip(foreseen, endpoint.ask_all(list(foreseen.values())), strict=True))

    @property
    def silences(self) -> int:
        return self._endpoint.silences

    def ask(self, method: str, *params: Any) -> Reply:
        told = self._told.get(repr((method, params)))
        return told if told is not None else self._endpoint.ask(method, *params)
