"""The addresses of the gallery, but for those of GraphiQL's own files (`graphiql/assets.py`)."""

from __future__ import annotations

from typing import Final

GRAPHQL_PATH: Final = "/graphql"
SCHEMA_PATH: Final = "/schema.graphql"
MEDIA_PATH: Final = "/media/{image}/{file}"
SHARED_PAGE_PATH: Final = "/shared/{token}"
SHARED_PATH: Final = "/shared/{token}/{image}/{file}"
LIVE_PATH: Final = "/livez"
READY_PATH: Final = "/readyz"
HEALTH_PATH: Final = "/healthz"
METRICS_PATH: Final = "/metrics"
LOGIN_PATH: Final = "/auth/login"
LOGOUT_PATH: Final = "/auth/logout"
SESSION_PATH: Final = "/auth/session"
PROVIDER_LOGIN_PATH: Final = "/auth/oidc/login"
PROVIDER_CALLBACK_PATH: Final = "/auth/oidc/callback"

PROBE_PATHS: Final = frozenset({LIVE_PATH, READY_PATH, METRICS_PATH})
"""Where programs look how a process is: often, and by address rather than by name."""

_SHARED: Final = SHARED_PATH.partition("{")[0]


def without_token(path: str) -> str:
    """The path for the log: that of something shared has a secret in it."""
    if not path.startswith(_SHARED):
        return path
    _, slash, rest = path.removeprefix(_SHARED).partition("/")
    return f"{_SHARED}…{slash}{rest}"
