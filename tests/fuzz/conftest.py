"""A local stack of its own: made-up calls stop rails and dismiss people, which no other test should meet."""

from collections.abc import Iterator

import pytest
import schemathesis
from schemathesis import BaseSchema

from devstack.demo.town import Town
from devstack.stack import Stack
from tests.fuzz import known as known_things
from tests.fuzz.known import Known


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def town(stack: Stack) -> Iterator[Town]:
    town = Town(stack.info, stack.kill)
    yield town
    town.close()


@pytest.fixture(scope="session")
def known(stack: Stack, town: Town) -> Known:
    return known_things.make(stack, town)


@pytest.fixture(scope="session")
def document(stack: Stack) -> BaseSchema:
    """The OpenAPI document as the running service gives it away."""
    document = schemathesis.openapi.from_url(f"{stack.info['api']}/openapi.json")
    document.config.generation.update(with_security_parameters=False)  # who calls is chosen by the tests
    return document
