"""Settings, read once from the environment, checked together, frozen. Only entry points see them."""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import InvalidRequest
from domain.policy import Policy


class MissingSettingsError(Exception):
    """Something is missing or wrong in the environment; the message names all of it."""


class Settings(BaseSettings):
    """What `REFUNDS_*` says. Temporal has conventions of its own (`TEMPORAL_ADDRESS`, …), read by its client."""

    model_config = SettingsConfigDict(env_prefix="REFUNDS_", frozen=True, extra="ignore")

    database_url: str = "sqlite:///.refunds/refunds.sqlite"
    policy: Path = Path("policy.toml")
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    stripe_api_base: str = "https://api.stripe.com"
    stripe_secret_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    chains: Path | None = None
    keystore: Path | None = None
    keystore_password_file: Path | None = None

    @property
    def stripe_mode(self) -> Literal["test", "live"]:
        """Tell which of Stripe's two worlds the key belongs to."""
        key = self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else ""
        return "live" if "_live_" in key[:8] else "test"

    @classmethod
    def load(cls) -> Self:
        """Read the environment; raise `MissingSettingsError` naming every value that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            wrong = [f"REFUNDS_{str(it['loc'][0]).upper()}: {it['msg']}" for it in error.errors()]
            raise MissingSettingsError("These settings are wrong:\n  " + "\n  ".join(wrong)) from None

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
            raise MissingSettingsError("These settings are missing:\n  " + "\n  ".join(missing))

    def load_policy(self) -> Policy:
        """Read the policy file; raise `MissingSettingsError` naming field and rule."""
        try:
            return Policy.parse(tomllib.loads(self.policy.read_text()))
        except (OSError, tomllib.TOMLDecodeError, InvalidRequest) as error:
            raise MissingSettingsError(f"REFUNDS_POLICY ({self.policy}): {error}") from None
