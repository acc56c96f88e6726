"""Settings, read once from the environment, checked together, frozen. Only entry points see them."""

import os
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.complaints import sentence
from domain.errors import InvalidRequest
from domain.policy import Policy


class MissingSettingsError(Exception):
    """Something is missing or wrong in the environment; the message names all of it."""

    def __init__(self, message: str, problems: list[str] | None = None) -> None:
        super().__init__("\n  ".join([message, *(problems or [])]))
        self.problems = problems or [message]
        """One sentence each."""


class Settings(BaseSettings):
    """What `REFUNDS_*` says. Temporal has conventions of its own (`TEMPORAL_ADDRESS`, …), read by its client.

    A secret may come in a file that `REFUNDS_…_FILE` names, so that it stands in no environment.
    """

    model_config = SettingsConfigDict(env_prefix="REFUNDS_", frozen=True, extra="ignore")

    # A secret's file stands before the secret itself: it must be known when the secret is read.
    database_password_file: Path | None = None
    stripe_secret_key_file: Path | None = None
    stripe_webhook_secret_file: Path | None = None

    database_url: str = Field(default="sqlite:///.refunds/refunds.sqlite", validate_default=True, repr=False)
    policy: Path = Path("policy.toml")
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_drain_seconds: float = Field(default=0, ge=0, le=600)
    """How long the API says that it is not ready, and still answers, before it stops."""
    worker_metrics_address: str | None = Field(default=None, pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$")
    """`host:port` where the worker shows its metrics; nowhere if not set."""
    worker_shutdown_seconds: float = Field(default=30, ge=1, le=600)
    """How long running steps may take to end when the worker is stopped: longer than a provider takes to answer."""
    stripe_api_base: str = "https://api.stripe.com"
    stripe_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    stripe_webhook_secret: SecretStr | None = Field(default=None, validate_default=True)
    """Several, separated by commas or spaces, while one replaces another: each of them is taken."""
    stripe_mode: Literal["test", "live"] | None = Field(default=None, validate_default=True)
    """Which of Stripe's two worlds is ours; the key says it too, and the API has none."""
    stripe_requests_per_second: float = Field(default=5, gt=0, le=100)
    """How fast one worker asks Stripe, after a burst of 25. It delays, and never fails."""
    chains: Path | None = None
    keystore: Path | None = None
    keystore_password_file: Path | None = None

    @field_validator("stripe_secret_key", "stripe_webhook_secret", mode="before")
    @classmethod
    def _from_file(cls, value: Any, info: ValidationInfo) -> Any:
        file = info.data.get(f"{info.field_name}_file")
        if file is None:
            return value
        if value is not None:
            raise PydanticCustomError("twice", "is given twice, here and in a file; keep the file")
        return _secret_in(file)

    @field_validator("stripe_webhook_secret")
    @classmethod
    def _not_empty(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _several(value):
            raise PydanticCustomError("no_secret", "holds no secret")
        return value

    @field_validator("stripe_mode")
    @classmethod
    def _mode_of_the_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        key = info.data.get("stripe_secret_key")
        if key is None:
            return value
        mode = "live" if "_live_" in key.get_secret_value()[:8] else "test"
        if value not in (None, mode):
            told = {"value": value, "mode": mode}
            raise PydanticCustomError("mode", "is {value}, but REFUNDS_STRIPE_SECRET_KEY is a {mode} key", told)
        return mode

    @field_validator("database_url")
    @classmethod
    def _with_password(cls, value: str, info: ValidationInfo) -> str:
        """Write the password of the file into the address, where drivers look for it."""
        file = info.data.get("database_password_file")
        if file is None:
            return value
        try:
            address = urlsplit(value)
            user, host, password = address.username, address.hostname, address.password
        except ValueError:
            raise PydanticCustomError("url", "is not an address") from None
        if not user or not host:
            raise PydanticCustomError("user", "must name user and host, to whom the password of the file belongs")
        if password is not None:
            raise PydanticCustomError("twice", "holds a password, and there is one in a file; keep the file")
        who, _, where = address.netloc.rpartition("@")
        netloc = f"{who.removesuffix(':')}:{quote(_secret_in(file), safe='')}@{where}"
        return address._replace(netloc=netloc).geturl()

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """Return every secret that may sign a webhook now; none where the hook is not set up."""
        return _several(self.stripe_webhook_secret)

    @classmethod
    def load(cls) -> Self:
        """Read the environment; raise `MissingSettingsError` naming every value that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            wrong = [
                f"REFUNDS_{name.upper()}: {sentence(name, it['type'], it['msg'], it.get('ctx', {}))}"
                for it in error.errors(include_url=False, include_input=False)
                for name in [str(it["loc"][0])]
            ]
            raise MissingSettingsError("These settings are wrong:", wrong) from None

    def secrets(self) -> list[str]:
        """Return every secret that this process was given, so that no log line can show one."""
        given = [*self.stripe_webhook_secrets]
        if self.stripe_secret_key is not None:
            given.append(self.stripe_secret_key.get_secret_value())
        if self.keystore_password_file is not None and self.keystore_password_file.is_file():
            given.append(self.keystore_password_file.read_text().strip())
        given += [os.environ.get("TEMPORAL_API_KEY", "")]
        with suppress(ValueError):  # a URL that is none is complained of where it is used
            password = urlsplit(self.database_url).password or ""
            given += [password, unquote(password)]
        return [secret for secret in given if secret]

    def require_rails(self) -> None:
        """Check what a worker needs: a whole card rail, or a whole crypto rail, or both."""
        missing = []
        if self.stripe_secret_key is None and self.chains is None:
            missing.append("REFUNDS_STRIPE_SECRET_KEY (for the card rail) or REFUNDS_CHAINS (for the crypto rail)")
        crypto = {
            "REFUNDS_CHAINS": self.chains,
            "REFUNDS_KEYSTORE": self.keystore,
            "REFUNDS_KEYSTORE_PASSWORD_FILE": self.keystore_password_file,
        }
        if any(crypto.values()):
            missing += [name for name, value in crypto.items() if value is None]
            missing += [
                f"{name}: there is no file {value}" for name, value in crypto.items() if value and not value.is_file()
            ]
        if not self.policy.is_file():
            missing.append(f"REFUNDS_POLICY: there is no file {self.policy}")
        if missing:
            raise MissingSettingsError("These settings are missing:", missing)

    def require_hook(self) -> None:
        """Check what the API needs where it takes webhooks: without the mode, events of the other one would count."""
        if self.stripe_webhook_secrets and self.stripe_mode is None:
            what = "REFUNDS_STRIPE_MODE (test or live: whose webhooks REFUNDS_STRIPE_WEBHOOK_SECRET signs)"
            raise MissingSettingsError("These settings are missing:", [what])

    def load_policy(self) -> Policy:
        """Read the policy file; raise `MissingSettingsError` naming field and rule."""
        try:
            return Policy.parse(tomllib.loads(self.policy.read_text()))
        except (OSError, tomllib.TOMLDecodeError, InvalidRequest) as error:
            raise MissingSettingsError(f"REFUNDS_POLICY ({self.policy}): {error}") from None


def _several(secrets: SecretStr | None) -> tuple[str, ...]:
    given = re.split(r"[,\s]+", secrets.get_secret_value()) if secrets is not None else []
    return tuple(dict.fromkeys(it for it in given if it))


def _secret_in(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        told = {"file": str(file), "cause": type(error).__name__}
        raise PydanticCustomError("secret_file", "{file} cannot be read ({cause})", told) from None
    if not secret or len(secret.splitlines()) != 1:
        raise PydanticCustomError("secret_file", "{file} must hold exactly one line", {"file": str(file)})
    return secret
