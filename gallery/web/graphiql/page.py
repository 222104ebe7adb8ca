"""The HTML page that a browser gets at the GraphQL address.

It runs under a policy that lets it load scripts, fonts and workers from the gallery only and talk to nobody
else. There is no inline script: what the page must know travels in a data attribute.
"""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from importlib import resources
from typing import Any, Final

from starlette.responses import HTMLResponse

from gallery.web.graphiql.assets import ASSETS_PATH, MANIFEST, static_folder

CSRF_HEADER: Final = "X-GraphQL-CSRF"

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    # Monaco writes its colours and the editor's layout into style elements at run time.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

_WITH_FORM: Final = _POLICY | {"form-action": "'self'"}

_HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_HEADERS_WITH_FORM: Final = _HEADERS | {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _WITH_FORM.items()),
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "same-origin",  # with none, browsers do not say from which origin a form is sent
    "Vary": "Accept, Cookie",
}

_ICON: Final = (
    "data:image/svg+xml,"
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E"
    "%3Crect width='24' height='24' rx='5' fill='%23d60590'/%3E"
    "%3Cpath d='M4 17.5 9.5 9l3.5 5 2.5-3 4.5 6.5z' fill='white'/%3E"
    "%3Ccircle cx='16.5' cy='7.5' r='1.8' fill='white'/%3E%3C/svg%3E"
)

_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Gallery</title>
    <link rel="icon" href="{icon}">
    <link rel="stylesheet" href="{style}">
    {preloads}
    <script type="module" src="{script}"></script>
  </head>
  <body>
    <div id="graphiql" data-config="{config}"></div>
    {corner}
    <noscript>This page needs JavaScript. Programs need no page: they POST to this address.</noscript>
  </body>
</html>
"""


_CORNER: Final = "position: fixed; right: 1rem; bottom: 1rem; z-index: 5; font: 14px system-ui, sans-serif"
_BUTTON: Final = (
    "display: block; padding: .5rem .8rem; border: 0; border-radius: .4rem; background: #d60590; color: #fff; "
    "font: inherit; text-decoration: none; cursor: pointer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLink:
    """What the page shows where people sign in: a link to `login`, or a button that sends to `logout`.

    Both are paths as below; `is_signed_in` decides.
    """

    login: str
    logout: str
    is_signed_in: bool

    def html(self) -> str:
        """The element, in the corner of the page."""
        if not self.is_signed_in:
            return f'<a id="sign-in" href="{escape(self.login)}" style="{_CORNER}; {_BUTTON}">Sign in</a>'
        button = f'<button style="{_BUTTON}">Sign out</button>'
        return f'<form id="sign-out" method="post" action="{escape(self.logout)}" style="{_CORNER}">{button}</form>'


def graphiql_page(
    endpoint: str = "/graphql", *, assets_path: str = ASSETS_PATH, sign_in: SignInLink | None = None
) -> HTMLResponse:
    """The GraphiQL page, which sends its requests to `endpoint` and loads its files from `assets_path`.

    Both are paths on the page's own host, with the prefix of a reverse proxy if there is one. `sign_in` is there where
    the gallery wants to know who asks.
    """
    headers = _HEADERS if sign_in is None else _HEADERS_WITH_FORM
    return HTMLResponse(_render(endpoint, assets_path, sign_in), headers=headers)


@cache
def example_queries() -> tuple[str, ...]:
    """The queries that the page opens with, one a tab, in the order of their file names."""
    folder = resources.files("gallery.web.graphiql") / "examples"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return tuple(file.read_text("utf-8").strip() for file in files if file.name.endswith(".graphql"))


@lru_cache(maxsize=16)
def _render(endpoint: str, assets_path: str, sign_in: SignInLink | None) -> str:
    manifest = _manifest()
    config = {
        "endpoint": endpoint,
        "headers": {CSRF_HEADER: "1"},
        "tabs": [{"query": f"{query}\n"} for query in example_queries()],
        "workers": manifest["workers"],
    }
    preloads = (f'<link rel="modulepreload" href="{escape(f"{assets_path}/{name}")}">' for name in manifest["preload"])
    return _PAGE.format(
        icon=_ICON,
        style=escape(f"{assets_path}/{manifest['style']}"),
        script=escape(f"{assets_path}/{manifest['script']}"),
        preloads="\n    ".join(preloads),
        config=escape(json.dumps(config)),
        corner="" if sign_in is None else sign_in.html(),
    )


@cache
def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((static_folder() / MANIFEST).read_text("utf-8"))
    return manifest
