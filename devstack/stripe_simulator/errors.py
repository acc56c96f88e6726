"""Refusals in Stripe's shape: https://docs.stripe.com/api/errors."""

from devstack.stripe_simulator.calls import Answer, Json


class ApiError(Exception):
    """A call that is refused.

    `is_stored` tells whether an idempotency key remembers it: Stripe keeps a result only once the execution
    had begun, so neither a parameter that fails validation nor a conflict with another call is kept.
    `keeps_effect` is for a refusal that leaves something behind: a declined card leaves a failed charge.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        is_stored: bool = False,
        should_retry: bool | None = None,
        retry_after_seconds: int | None = None,
        keeps_effect: bool = False,
        details: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.is_stored = is_stored
        self.should_retry = should_retry
        self.retry_after_seconds = retry_after_seconds
        self.keeps_effect = keeps_effect
        self.details = details or {}

    def answer(self, request_id: str) -> Answer:
        """Write the error as Stripe sends it: fields that do not apply are absent."""
        error: Json = {}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["message"] = self.message
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        error["type"] = self.type
        return Answer(
            status=self.status,
            body={"error": error | self.details},
            should_retry=self.should_retry,
            retry_after_seconds=self.retry_after_seconds,
        )


def refusal(message: str, *, code: str | None = None, param: str | None = None, status: int = 400) -> ApiError:
    """Refuse a valid call because of the state of things; an idempotency key remembers it."""
    return ApiError(message, status=status, code=code, param=param, is_stored=True, should_retry=False)


def no_such(kind: str, object_id: str, *, param: str = "id") -> ApiError:
    """Say that an object does not exist."""
    return refusal(f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=404)


def unknown_url(method: str, path: str) -> ApiError:
    """Say that there is no such endpoint."""
    return ApiError(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the "
        "trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) "
        "identifier in your code.",
        status=404,
    )


def key_in_use(key: str | None) -> ApiError:
    """Say that another call with this idempotency key is still running.

    The wording and the type are those of a real answer, published in beam-community/stripity-stripe.
    """
    return ApiError(
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        status=409,
        code="idempotency_key_in_use",
        should_retry=True,
    )


def key_reused(message: str) -> ApiError:
    """Refuse an idempotency key that was first used for something else."""
    return ApiError(message, type="idempotency_error", should_retry=False)


def rate_limited(*, retry_after_seconds: int | None = None) -> ApiError:
    """Say that there were too many calls; nothing was executed."""
    return ApiError(
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        status=429,
        code="rate_limit",
        retry_after_seconds=retry_after_seconds,
    )


def lock_timeout() -> ApiError:
    """Say that the object is locked by another call; nothing was executed, and a retry is asked for."""
    return ApiError(
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request. If you see this error "
        "frequently and are making multiple concurrent requests to a single object, make your requests serially "
        "or at a lower rate. For more details, see https://stripe.com/docs/rate-limits#object-lock-timeouts.",
        status=429,
        code="lock_timeout",
        should_retry=True,
    )


def key_expired() -> ApiError:
    """Refuse a key that was good before, as after its rotation."""
    return ApiError("Expired API Key provided: sk_test_****", status=401, code="api_key_expired")


def not_permitted() -> ApiError:
    """Refuse a restricted key that lacks the permission for this call."""
    return ApiError(
        "The provided key 'rk_test_****' does not have the required permissions for this endpoint on account "
        "'acct_simulated'.",
        status=403,
        code="insufficient_permissions",
    )


def unavailable() -> ApiError:
    """Refuse because Stripe is down for a moment; nothing was executed."""
    return ApiError("Service temporarily unavailable. Please try again.", status=503, type="api_error")


def server_failure() -> ApiError:
    """Fail without saying whether anything happened; an idempotency key remembers it."""
    return ApiError("An unknown error occurred", status=500, type="api_error", is_stored=True, should_retry=False)
