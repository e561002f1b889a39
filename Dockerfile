# The trading system in a container; docs/deploy.md says how it is built and run. No secret is part of it.
#
#   docker build --build-arg BASE=python:3.12-slim@sha256:DIGEST -t short-trading .
#
# BASE is a Python image of Debian's kind, by the digest that you have looked up: a tag can change under you.
ARG BASE
FROM ${BASE}

# The same folder as with systemd; root owns it, and nothing in it is written to later.
WORKDIR /opt/short-trading
COPY requirements.txt requirements-backup.txt requirements-cluster.txt requirements-encryption.txt requirements-events.txt requirements-postgres.txt ./
COPY bin/_setup.sh bin/run-actors bin/
# The set-up of every machine; its program is not there yet, so only the packages are.
RUN bash -c 'source "$PWD/bin/_setup.sh" && set_up .venv requirements.txt' \
    && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        -r requirements.txt -r requirements-backup.txt -r requirements-cluster.txt -r requirements-encryption.txt \
        -r requirements-events.txt -r requirements-postgres.txt
COPY . .

RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin trading \
    && install --directory --owner=trading --group=trading --mode=0700 /var/lib/short-trading
USER 10001:10001
ENV MODE=sim \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/var/lib/short-trading
VOLUME /var/lib/short-trading

# The answer of a living supervisor. A restart cures nothing that /readyz tells, so that is not asked.
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s --retries=3 \
    CMD ["/opt/short-trading/deploy/container/start", "healthy"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/short-trading/deploy/container/start"]
