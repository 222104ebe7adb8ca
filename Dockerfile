# The gallery without PostgreSQL, S3 and Valkey, which run elsewhere: docker-compose.yml starts them beside it.
# One image for every role: the command says which (serve, worker, migrate, doctor).
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS builder

# How pip reaches its index, where that needs saying. They stay in this stage.
ARG PIP_CERT
ARG PIP_DEFAULT_TIMEOUT
ARG PIP_EXTRA_INDEX_URL
ARG PIP_INDEX_URL

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv build && python -m venv --without-pip /opt/venv

# Wheels are made in one environment and installed into another, so that pip and the build tools stay behind. Only
# pyvips has no wheel of its own; it is Python alone, so no compiler is needed.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN build/bin/pip install --no-deps --require-hashes --only-binary :all: --requirement requirements/build.txt \
 && build/bin/pip wheel --no-deps --require-hashes --no-build-isolation --only-binary :all: --no-binary pyvips \
      --wheel-dir wheels --requirement requirements/runtime.txt \
 && build/bin/pip --python /opt/venv/bin/python install --no-deps --no-index wheels/*.whl

COPY pyproject.toml README.md LICENSE schema.graphql ./
COPY migrations migrations
COPY gallery gallery
RUN build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && build/bin/pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl \
 && build/bin/pip --python /opt/venv/bin/python check

# What all of this is made of, with licences (CycloneDX), by a program that stays behind.
COPY requirements/sbom.txt requirements/
RUN python -m venv sbom \
 && build/bin/pip --python sbom/bin/python install --no-deps --require-hashes --only-binary :all: \
      --requirement requirements/sbom.txt \
 && mkdir -p /opt/venv/share/gallery \
 && sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
      --output-format JSON --output-file /opt/venv/share/gallery/sbom.cdx.json /opt/venv/bin/python

FROM ${PYTHON_IMAGE}

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gallery" \
      org.opencontainers.image.description="A self-hosted image gallery behind a GraphQL API" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

RUN groupadd --gid 10001 gallery \
 && useradd --uid 10001 --gid gallery --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
      gallery
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000

# Whether the process answers, not what it depends on: restarting it mends no database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4)"]

ENTRYPOINT ["gallery"]
CMD ["serve", "--host", "0.0.0.0"]
