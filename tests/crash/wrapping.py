"""Puts the crash points around the product's real parts, from outside: the product's code knows of none."""

import contextvars
import functools
import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

import worker as product
from activities.wallets import TemporalWalletRuns
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from gateways.stripe.gateway import StripeGateway
from ledger.checking import Checking
from ledger.database import Database
from ledger.intake import Intake
from ledger.messages import Messages
from ledger.outbox import Outbox
from ledger.payouts import Payouts
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.sightings import Sightings
from ledger.signing import Signing
from ledger.wallets import Wallets
from tests.crash.points import POINTS, Crossing, subjects_in

# The ledger's parts whose methods open database transactions for steps; each effect is named after its method.
LEDGER = (Checking, Intake, Messages, Outbox, Payouts, Progress, Rails, Signing, Sightings, Wallets)
NAMES = {"watch": "pause"}  # by what it writes, where its name says what it reads

# Calls that change something outside, each by its name in the list of points.
CALLS = (
    (StripeGateway, "_leap", "leap"),
    (EvmChain, "broadcast", "broadcast"),
    (KeystoreSigner, "sign", "signature"),
)

_step: contextvars.ContextVar[str] = contextvars.ContextVar("step", default="no step")
_effect: contextvars.ContextVar[str] = contextvars.ContextVar("effect", default="no effect")
_subjects: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("subjects", default=())


def wrap(crossing: Crossing) -> None:
    """Wrap everything, for this process; once."""
    for part in LEDGER:
        for name, method in list(vars(part).items()):
            if callable(method) and not name.startswith("_"):
                setattr(part, name, _within(method, name))
    for owner, name, effect in CALLS:
        setattr(owner, name, _called(getattr(owner, name), effect, crossing))
    setattr(TemporalWalletRuns, "wake", _awaited(TemporalWalletRuns.wake, "wake", crossing))  # noqa: B010 - mypy
    setattr(Database, "write", _transaction(Database.write, crossing))  # noqa: B010 - as above
    _cut_requests(crossing)

    class Crossed(Worker):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options["interceptors"] = [*options.get("interceptors", ()), _Steps(crossing)]
            super().__init__(*arguments, **options)

    setattr(product, "Worker", Crossed)  # noqa: B010 - as above


def _cross(crossing: Crossing, moment: str) -> None:
    step, effect = _step.get(), _effect.get()
    # The API's calls and the worker's start are no steps; what a step does, and no list names, is a gap in the list.
    if step != "no step":
        point = f"{step}.{effect}.{moment}"
        if point not in POINTS:
            crossing.note(f"unlisted {point}", _subjects.get())
        crossing.cross(point, _subjects.get())


@contextmanager
def _inside(effect: str | None, *arguments: Any) -> Iterator[None]:
    """Remember what is being done, and for whom, for the points that lie deeper."""
    named = _effect.set(effect or _effect.get())
    known = _subjects.set(tuple(dict.fromkeys((*_subjects.get(), *subjects_in(*arguments)))))
    try:
        yield
    finally:
        _effect.reset(named)
        _subjects.reset(known)


def _within(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Name the effect of a ledger's method; what is seen on a chain is told apart by what it means."""

    @functools.wraps(method)
    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        effect = _sighting(*arguments) if name == "record_sighting" else NAMES.get(name, name)
        with _inside(effect, *arguments, *named.values()):
            return method(self, *arguments, **named)

    return run


def _sighting(_: Any, transaction: Any, sighting: Any) -> str:
    if transaction is None:
        return "see_nothing"
    return "see_final" if sighting.is_final else "see_mined"


def _called(method: Callable[..., Any], effect: str, crossing: Crossing) -> Callable[..., Any]:
    @functools.wraps(method)
    def run(self: Any, *arguments: Any) -> Any:
        with _inside(effect, *arguments):
            _cross(crossing, "before")
            result = method(self, *arguments)
            _cross(crossing, "after")
            return result

    return run


def _awaited(method: Callable[..., Any], effect: str, crossing: Crossing) -> Callable[..., Any]:
    @functools.wraps(method)
    async def run(self: Any, *arguments: Any) -> None:
        with _inside(effect, *arguments):
            _cross(crossing, "before")
            await method(self, *arguments)
            _cross(crossing, "after")

    return run


def _transaction(write: Callable[..., Any], crossing: Crossing) -> Callable[..., Any]:
    @contextmanager
    def run(self: Database) -> Iterator[Session]:
        with write(self) as session:
            yield session
            session.flush()  # everything is written, and still hangs on the commit
            _cross(crossing, "uncommitted")
        _cross(crossing, "committed")

    return run


def _cut_requests(crossing: Crossing) -> None:
    """Put a point into the middle of the one request that moves money by card."""
    send = http.client.HTTPConnection.send

    def run(self: http.client.HTTPConnection, data: Any) -> None:
        if not (isinstance(data, bytes) and data.startswith(b"POST /v1/refunds ")):
            send(self, data)
            return
        middle = len(data) // 2
        send(self, data[:middle])
        try:
            _cross(crossing, "half_sent")
        except Exception as error:
            raise ConnectionResetError("cut in the middle of the request") from error
        send(self, data[middle:])

    setattr(http.client.HTTPConnection, "send", run)  # noqa: B010 - as above


class _Steps(Interceptor):
    """Tells which activity runs, and for whom."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Step(next, self._crossing)


class _Step(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, crossing: Crossing) -> None:
        super().__init__(inner)
        self._crossing = crossing

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        step = input.fn.__name__
        _step.set(step)
        with _inside(None, *input.args):
            self._crossing.note(f"{step}.begun", _subjects.get())
            try:
                result = await super().execute_activity(input)
                self._crossing.cross(f"{step}.done", _subjects.get())
            finally:
                self._crossing.note(f"{step}.over", _subjects.get())
            return result
