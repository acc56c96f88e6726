"""The compose file: right by its schema, by the real compose and by our own rules; each kind of error is seen."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from tests.deploy.compose_file import BINARY, FILE, Compose, faults, load, read_by_compose

SCHEMA = json.loads(
    resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text()
)


def errors_of_schema(content: Compose) -> list[str]:
    return [error.message for error in validator_for(SCHEMA)(SCHEMA).iter_errors(content)]


def change(content: Compose, path: str, value: Any) -> None:
    """Set, or with None remove, what stands at a path of keys."""
    *way, last = path.split("/")
    for key in way:
        content = content[key]
    if value is None:
        del content[last]
    else:
        content[last] = value


def test_file_follows_the_specification_and_all_its_references_exist() -> None:
    content = load()

    assert errors_of_schema(content) == []
    assert faults(content) == []


def test_real_compose_takes_the_file() -> None:
    done = read_by_compose(FILE)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [("services/api/restarts", "always"), ("services/api/ports", [{"published": {}}]), ("services/api/image", 7)],
    ids=["unknown key", "wrong type", "number for a name"],
)
def test_schema_sees_an_error(path: str, value: Any) -> None:
    content = load()

    change(content, path, value)

    assert errors_of_schema(content) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("services/api/depends_on/nobody", {"condition": "service_healthy"}),
        ("services/api/networks", ["nowhere"]),
        ("services/api/secrets", ["unheard_of"]),
        ("services/api/configs", [{"source": "unheard_of", "target": "/x"}]),
        ("services/postgres/volumes", ["unheard_of:/x"]),
        ("services/api/restarts", "always"),
        ("services/api/image", "${REFUNDS_NOT_GIVEN:?must be given}"),
    ],
    ids=["service", "network", "secret", "config", "volume", "unknown key", "missing variable"],
)
def test_real_compose_sees_an_error(tmp_path: Path, path: str, value: Any) -> None:
    content = load()
    change(content, path, value)
    changed = tmp_path / "docker-compose.yml"
    changed.write_text(yaml.safe_dump(content))

    done = read_by_compose(changed)

    assert BINARY.name == "docker-compose"
    assert done.returncode != 0


PLANTED: dict[str, tuple[str, Any, str]] = {
    "service that does not exist": (
        "services/api/depends_on/nobody",
        {"condition": "service_healthy"},
        "api depends on nobody",
    ),
    "network that does not exist": ("services/api/networks", ["nowhere"], "uses nowhere of networks"),
    "secret that does not exist": ("services/migrate/secrets", ["x"], "uses x of secrets"),
    "config that does not exist": ("services/migrate/configs", [{"source": "x", "target": "/x"}], "x of configs"),
    "volume that does not exist": ("services/postgres/volumes", ["x:/y"], "uses x of volumes"),
    "secret that is not handed over": ("services/api/secrets", [], "which it does not get"),
    "job that never ends": ("services/migrate/restart", "unless-stopped", "which never ends"),
    "health that nobody checks": ("services/temporal/healthcheck", None, "which nobody checks"),
    "start without waiting": ("services/api/depends_on/migrate", {"condition": "service_started"}, "does not wait"),
    "variable that config does not know": ("services/api/environment/REFUNDS_COLOUR", "red", "does not know"),
    "required variable missing": ("services/worker/environment/REFUNDS_KEYSTORE", None, "worker lacks REFUNDS_KEY"),
    "password in the environment": ("services/postgres/environment/POSTGRES_PASSWORD", "x", "given a secret"),
    "password in an address": (
        "services/migrate/environment/REFUNDS_DATABASE_URL",
        "postgresql+psycopg://refunds:x@postgres/refunds",
        "given a secret by REFUNDS_DATABASE_URL",
    ),
    "health-checked job": ("services/migrate/healthcheck", {"test": ["CMD", "true"]}, "all the same"),
    "part that stays dead": ("services/api/restart", "on-failure", "is not started again"),
    "part without a health check": ("services/worker/healthcheck", None, "worker has no health check"),
    "part without limits": ("services/worker/deploy", None, "may use all memory"),
    "rights kept": ("services/worker/cap_drop", None, "keeps rights"),
    "image written into": ("services/worker/read_only", None, "may write into its image"),
    "root": ("services/worker/user", None, "runs as whoever"),
    "port for everybody": ("services/api/ports", ["8000:8000"], "published beyond loopback"),
    "floating image": ("services/postgres/image", "postgres:latest", "no pinned image"),
    "thing that nobody uses": ("volumes/spare", {}, "spare of volumes is used by nobody"),
    "file that is not there": ("configs/policy/file", "./nowhere.toml", "there is no file"),
    "API that sees the key": (
        "services/api/secrets",
        ["refunds_database_password", "stripe_webhook_secret", "stripe_secret_key"],
        "api sees stripe_secret_key",
    ),
    "worker without its key": ("services/worker/secrets", ["chains.toml"], "worker lacks keystore.json"),
    "way out for the database": ("networks/inside", {}, "leads outside"),
    "Temporal outside": ("services/temporal/networks", ["inside", "outside"], "temporal can be reached"),
}


@pytest.mark.parametrize(("path", "value", "said"), PLANTED.values(), ids=PLANTED.keys())
def test_our_own_rules_see_an_error(path: str, value: Any, said: str) -> None:
    content = load()

    change(content, path, value)

    assert any(said in fault for fault in faults(content)), faults(content)
