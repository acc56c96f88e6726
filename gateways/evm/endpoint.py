"""One JSON-RPC endpoint over HTTP: a question, and an answer that is a result, an error or unclear."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from requests.exceptions import ReadTimeout
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from domain.errors import TryAgain

# A node answers in milliseconds, a provider under load in seconds; longer than this is as good as no answer,
# and a worker that dies meanwhile must not be missed for long.
REQUEST_SECONDS_MAX = 10.0
# A gate before a node says so of a request with several questions: bad, too large, of a wrong kind, not implemented.
NOT_TAKEN = frozenset([400, 413, 415, 501])
MESSAGE_LENGTH_MAX = 200  # enough to recognise a node's error, too short to flood a log


@dataclass(frozen=True)
class Reply:
    """What the endpoint answered: `error` is its message, or None where `result` counts."""

    result: Any = None
    error: str | None = None


Question = tuple[str, tuple[Any, ...]]
"""A method and its parameters."""


class TookTooLong(TryAgain):
    """The endpoint was reached, and had not answered when the patience ended: the question itself may be why."""


class NotTaken(TryAgain):
    """The endpoint refused the request for its form or its size, whatever was asked."""


class Asked(ABC):
    """Whoever answers questions the way one endpoint does."""

    name: str

    @property
    @abstractmethod
    def silences(self) -> int:
        """How often it gave no readable answer: whatever was known of it may have changed since."""

    @abstractmethod
    def ask(self, method: str, *params: Any) -> Reply:
        """Return the result or the node's error; `TryAgain` where neither came back readable."""

    def call(self, method: str, *params: Any) -> Any:
        """Return the result; an error of the node is as unclear as no answer, so both are `TryAgain`."""
        reply = self.ask(method, *params)
        if reply.error is not None:
            raise TryAgain(f"{self.name} refused {method}: {reply.error}")
        return reply.result


class Endpoint(Asked):
    """Asks one endpoint, once: whether to ask again is decided by whoever knows what the question was.

    Only the provider of web3 is used, never its `Web3` object: that one looks up ENS names, follows
    CCIP-read links given by contracts, and sends signed bytes again by itself.
    """

    def __init__(
        self, url: str, *, chain_name: str, number: int = 1, request_seconds_max: float = REQUEST_SECONDS_MAX
    ) -> None:
        self.name = f"Endpoint {number} of {chain_name}"
        self._silences = 0
        self._provider = HTTPProvider(
            url,
            # A redirect would carry signed bytes to an endpoint that nobody configured.
            request_kwargs={"timeout": request_seconds_max, "allow_redirects": False},
            exception_retry_configuration=None,
        )
        self._provider.global_ccip_read_enabled = False

    @property
    def silences(self) -> int:
        return self._silences

    def ask(self, method: str, *params: Any) -> Reply:
        """Return the result or the node's error; `TryAgain` where neither came back readable."""
        with self._counting_silences():
            return self._read(
                method, self._post(method, lambda: self._provider.make_request(*_asked(method, params)))
            )

    def ask_all(self, questions: Sequence[Question]) -> list[Reply]:
        """Ask several questions in one request, one by one where the endpoint takes no such request.

        A node may work on them in any order, and at once: nothing that has an order is sent this way.
        `TookTooLong` where one of them may keep the others from being answered.
        """
        if len(questions) > 1:
            asked = [_asked(*it) for it in questions]
            with self._counting_silences(), suppress(NotTaken):
                answers = self._post("several questions", lambda: self._provider.make_batch_request(asked))
                if isinstance(answers, list) and not _is_refusal(answers):
                    return self._read_all(questions, answers)
        return [self.ask(method, *params) for method, params in questions]

    @contextmanager
    def _counting_silences(self) -> Iterator[None]:
        try:
            yield
        except TryAgain:
            self._silences += 1
            raise

    def _post(self, what: str, request: Callable[[], Any]) -> Any:
        """Ask once.

        The exceptions below this line hold the URL, and so perhaps a provider's key: none is passed on.
        """
        try:
            return request()
        except OSError as error:  # everything that requests raises
            body = _body_of_refusal(error)
            if body is None:
                raise self._no_answer(what, error) from None
            return body
        except (ValueError, TypeError, AttributeError):  # the library sorts what it takes for answers by their ids
            raise TryAgain(f"{self.name} answered {what} with no JSON.") from None

    def _read_all(self, questions: Sequence[Question], answers: list[Any]) -> list[Reply]:
        """Read answers in the order of their ids, which is that of the questions where none is missing.

        Ids that come back as texts stand in the order of texts, "10" before "9": that is nobody's order.
        """
        ids = {it["id"] for it in answers if isinstance(it, dict) and type(it.get("id")) is int}
        if len(answers) != len(questions) or len(ids) != len(questions):
            raise TryAgain(f"{self.name} answered {len(ids)} of {len(questions)} questions by their ids.")
        return [self._read(method, answer) for (method, _), answer in zip(questions, answers, strict=True)]

    def _read(self, method: str, response: Any) -> Reply:
        if not isinstance(response, dict):
            raise TryAgain(f"{self.name} answered {method} with no JSON-RPC answer.")
        if response.get("error") is not None:
            return Reply(error=_message(response["error"]))
        if "result" not in response:
            raise TryAgain(f"{self.name} answered {method} with no result.")
        return Reply(result=response["result"])

    def _no_answer(self, method: str, error: OSError) -> TryAgain:
        status = getattr(getattr(error, "response", None), "status_code", None)
        what = f"HTTP status {status}" if status is not None else type(error).__name__
        kind = TookTooLong if isinstance(error, ReadTimeout) else NotTaken if status in NOT_TAKEN else TryAgain
        return kind(f"{self.name} did not answer {method}: {what}.")


def _asked(method: str, params: Sequence[Any]) -> tuple[RPCEndpoint, list[Any]]:
    return RPCEndpoint(method), list(params)


def _is_refusal(answers: list[Any]) -> bool:
    """Tell whether one error answers several questions, as geth does where they are more than it takes at once."""
    return len(answers) == 1 and isinstance(answers[0], dict) and answers[0].get("error") is not None


def _body_of_refusal(error: OSError) -> dict[str, Any] | None:
    """Find the JSON-RPC error in an HTTP refusal: some nodes answer errors with status 4xx or 5xx."""
    content = getattr(getattr(error, "response", None), "content", None)
    try:
        body = json.loads(content) if content else None
    except ValueError:
        return None
    return body if isinstance(body, dict) and body.get("error") is not None else None


def _message(error: Any) -> str:
    text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MESSAGE_LENGTH_MAX]
