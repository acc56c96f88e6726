"""The endpoints of one chain asked together: what they agree on is a fact, what they contradict each other on is not.

Answers are compared in our words, not as JSON: nodes of different makers write one fact in different ways. Who is
only behind is told apart from who contradicts: it has not got the block yet of which the others speak.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.errors import EndpointsDisagree, NeedsOperator, TryAgain
from domain.transfers import SendAnswer
from gateways.evm.endpoint import Endpoint
from gateways.evm.node import Node
from gateways.evm.settings import ChainSettings

T = TypeVar("T")

ASKED_AT_ONCE_MAX = 32  # requests of one chain under way; more wait for these
# One that does not answer is left out for a while where the others suffice: each of its silences takes seconds.
REST_SECONDS = 15.0

# From what says most about bytes that are on their way. That they can never be sent counts only if all say so.
_LIKELIEST = (
    SendAnswer.SEEN,
    SendAnswer.NONCE_LOW,
    SendAnswer.UNDERPRICED,
    SendAnswer.FEE_TOO_LOW,
    SendAnswer.FUNDS_TOO_LOW,
    SendAnswer.UNCLEAR,
    SendAnswer.NOT_SENDABLE,
)


@dataclass(frozen=True)
class Member:
    """One endpoint by its place in the settings, from 1 on: its address may hold a key and is never shown."""

    number: int
    endpoint: Endpoint
    node: Node


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What one endpoint told."""

    member: Member
    value: T


class Endpoints:
    """All endpoints of one chain. The constructor connects to none of them."""

    def __init__(self, settings: ChainSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._quorum = settings.quorum or len(settings.rpc_urls)
        self._silent_at: dict[int, float] = {}
        self.members = tuple(
            _member(settings, number, url, clock) for number, url in enumerate(settings.rpc_urls, start=1)
        )
        # The threads stay: the library keeps connections by thread, so a new thread is a new handshake.
        self._threads = ThreadPoolExecutor(
            max_workers=min(ASKED_AT_ONCE_MAX, 8 * len(self.members)), thread_name_prefix=f"chain-{settings.chain_id}"
        )

    def ask(self, question: Callable[[Member], T]) -> list[Answer[T]]:
        """Ask every endpoint, once it proved to serve the chain; `TryAgain` where fewer answer than must."""
        return self._enough(self._each(_proven(question), self._awake(self._quorum)))

    def _enough(self, outcomes: Sequence[tuple[Member, T | TryAgain]]) -> list[Answer[T]]:
        answers = [Answer(member, it) for member, it in outcomes if not isinstance(it, TryAgain)]
        if len(answers) >= self._quorum:
            return answers
        failure = next(it for _, it in outcomes if isinstance(it, TryAgain))
        if len(self.members) == 1:
            raise failure
        raise TryAgain(
            f"{len(answers)} of {len(self.members)} endpoints of {self._settings.name} answered and "
            f"{self._quorum} must: {failure.message}",
            after_seconds=failure.after_seconds,
        )

    def each(self, question: Callable[[Member], T]) -> list[tuple[Member, T | TryAgain]]:
        """Ask all at once, however they answer, and whatever chain they serve."""
        return self._each(question, self.members)

    def tell(self, question: Callable[[Member], T]) -> list[T | TryAgain]:
        """Bring something to all; who was just silent is passed over this time, unless nobody else is left."""
        return [outcome for _, outcome in self._each(question, self._awake(1))]

    def _each(self, question: Callable[[Member], T], members: Sequence[Member]) -> list[tuple[Member, T | TryAgain]]:
        """Ask; the first in the caller's own thread, so that one alone needs no other."""

        def settled(member: Member) -> T | TryAgain:
            silences = member.endpoint.silences
            try:
                return question(member)
            except TryAgain as error:
                return error
            finally:
                if member.endpoint.silences != silences:
                    self._silent_at[member.number] = self._clock()

        first, *others = members
        waiting = [self._threads.submit(settled, member) for member in others]
        return [(first, settled(first)), *((member, it.result()) for member, it in zip(others, waiting, strict=True))]

    def _awake(self, needed: int) -> Sequence[Member]:
        """Return whom to ask: all, or without those that were just silent where as many as needed are left."""
        since = self._clock() - REST_SECONDS
        awake = [it for it in self.members if self._silent_at.get(it.number, since) <= since]
        return awake if len(awake) >= needed else self.members

    def agreed(self, what: str, question: Callable[[Node], T]) -> T:
        """Return what all answers say alike; `EndpointsDisagree` where they differ."""
        return self.same(what, self.ask(lambda member: question(member.node)))

    def same(self, what: str, answers: Sequence[Answer[T]]) -> T:
        """Return the one value of all answers; `EndpointsDisagree` naming `what` where there are several."""
        if any(answer.value != answers[0].value for answer in answers):
            raise self.disagreement(what, {answer.member: answer.value for answer in answers})
        return answers[0].value

    def judged(self, what: str, question: Callable[[Member], T]) -> list[Answer[T]]:
        """Ask what may be answered by `NeedsOperator`: that goes to a person only where every answer is one."""

        def asked(member: Member) -> T | NeedsOperator:
            try:
                return question(member)
            except NeedsOperator as error:
                return error

        return self._judge(what, self.ask(asked))

    def judged_each(
        self, whats: Sequence[str], questions: Callable[[Member], Sequence[T | NeedsOperator | TryAgain]]
    ) -> list[list[Answer[T]] | NeedsOperator | TryAgain]:
        """Ask several things at once, each judged as by `judged`: what one of them raises stands in its place."""
        outcomes = self._each(_proven(questions), self._awake(self._quorum))

        def judged(number: int, what: str) -> list[Answer[T]] | NeedsOperator | TryAgain:
            told = [(member, it if isinstance(it, TryAgain) else it[number]) for member, it in outcomes]
            try:
                return self._judge(what, self._enough(told))
            except (NeedsOperator, TryAgain) as error:
                return error

        return [judged(number, what) for number, what in enumerate(whats)]

    def _judge(self, what: str, answers: Sequence[Answer[T | NeedsOperator]]) -> list[Answer[T]]:
        refusals = {answer.member: it for answer in answers if isinstance(it := answer.value, NeedsOperator)}
        if len(refusals) == len(answers):
            raise refusals[answers[0].member]
        if refusals:
            told = {it.member: refusals[it.member].message if it.member in refusals else "yes" for it in answers}
            raise self.disagreement(what, told)
        return [Answer(it.member, it.value) for it in answers if not isinstance(it.value, NeedsOperator)]

    def absence(self, what: str, absent: Sequence[Member], block_number: int, block_hash: str) -> TryAgain:
        """Return why nothing is decided while some show `what` in a block and some do not show it at all.

        Who has not got a block of that height is behind. Who has it, or another in its place, contradicts.
        """
        for member in absent:
            found = member.node.block_hash(block_number)
            if found is not None:
                told: dict[Member, object] = dict.fromkeys(
                    self.members, f"it is in block {block_number} {block_hash}"
                )
                told |= dict.fromkeys(absent, f"nothing, and has block {block_number} {found}")
                return self.disagreement(what, told)
        behind = ", ".join(member.endpoint.name for member in absent)
        return TryAgain(f"{behind} has no block {block_number} yet, of which the others speak.")

    def disagreement(self, what: str, answers: Mapping[Member, object]) -> EndpointsDisagree:
        """Make the error that names what differs, and who says what."""
        return EndpointsDisagree(self._settings.name, what, {it.number: told for it, told in answers.items()})


def _proven(question: Callable[[Member], T]) -> Callable[[Member], T]:
    """Ask only who proved to serve the chain."""

    def asked(member: Member) -> T:
        member.node.require_chain()
        return question(member)

    return asked


def likeliest(answers: Sequence[SendAnswer]) -> SendAnswer:
    """Return the answer of several endpoints to the same bytes that says most about where these are."""
    return min(answers, key=_LIKELIEST.index)


def _member(settings: ChainSettings, number: int, url: str, clock: Callable[[], float]) -> Member:
    endpoint = Endpoint(url, chain_name=settings.name, number=number)
    return Member(number, endpoint, Node(endpoint, settings, clock))
