# keeper, without compilers, without root, with nothing writable but /state and /tmp:
#
#   docker build -t keeper .
#   docker run --rm --read-only --tmpfs /tmp --tmpfs /state:uid=10001 keeper demo
#   docker run --read-only --tmpfs /tmp -v keeper-state:/state -v ./keeper.toml:/etc/keeper/keeper.toml:ro \
#     -v ./secrets:/run/secrets:ro --stop-timeout 90 keeper run --config /etc/keeper/keeper.toml
#
# Another port than 9464 is set by KEEPER_OPS__PORT, where the health check looks, and not in the file.
# Secrets are files in /run/secrets, named like keeper_chain__rpc. The image is built and run by tests/image/test_image.py.

ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/keeper && python3 -m venv /opt/build
COPY requirements.txt requirements-build.txt ./
RUN /opt/keeper/bin/python -m pip install --require-hashes -r requirements.txt \
 && /opt/build/bin/python -m pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY keeper keeper
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/keeper/bin/python -m pip install --no-deps /dist/keeper-*.whl

# What demo and dry-run act on: the node and the contracts of the local world, pinned by hash. npm stays behind.
FROM build AS world
WORKDIR /
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates npm
RUN KEEPER_CACHE=/opt/world /opt/keeper/bin/python -m keeper.devnet.prepare

FROM ${BASE}
RUN useradd --uid 10001 --no-create-home --home-dir /state --shell /usr/sbin/nologin keeper \
 && install --directory --owner keeper --mode 0750 /state
COPY --from=build /opt/keeper /opt/keeper
COPY --from=world /opt/world /opt/world
COPY config /etc/keeper
ENV PATH=/opt/keeper/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/state/.cache/numba \
    KEEPER_CACHE=/opt/world \
    KEEPER_STORE__PATH=/state/keeper.sqlite
USER keeper
WORKDIR /state
VOLUME /state
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('KEEPER_OPS__PORT', '9464')}/healthz\", timeout=4)"]
ENTRYPOINT ["keeper"]
CMD ["--help"]
