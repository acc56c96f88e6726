# One image for `refunds serve`, `refunds worker` and `refunds migrate`; what each may know is given to it at its start.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
COPY requirements.lock /build/
# Wheels only, so no compiler is needed; without pip inside, the environment cannot grow in production.
RUN python -m venv --without-pip /opt/refunds \
    && pip --python /opt/refunds/bin/python install --no-cache-dir --disable-pip-version-check \
       --require-hashes --only-binary :all: -r /build/requirements.lock

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="refunds" \
      org.opencontainers.image.description="Pays prepaid deposits back: the way they came, exactly once, after people approved." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH="/opt/refunds/bin:${PATH}" \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    REFUNDS_POLICY=/app/policy.toml
RUN groupadd --gid 10001 refunds \
    && useradd --uid 10001 --gid refunds --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin refunds
WORKDIR /app
COPY --from=packages /opt/refunds /opt/refunds
COPY deploy/refunds /usr/local/bin/
COPY domain ./domain
COPY activities ./activities
COPY workflows ./workflows
COPY gateways ./gateways
COPY ledger ./ledger
COPY api ./api
COPY console ./console
COPY cli ./cli
COPY config.py crypto_rail.py logs.py redaction.py server.py telemetry.py worker.py policy.toml ./
RUN python -m compileall -q /app
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["refunds"]
CMD ["serve"]
# For the API; the worker has another one in docker-compose.yml.
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 CMD ["refunds", "serve", "--check"]
