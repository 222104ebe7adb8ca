"""The page on which people sign in, without any script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

_STYLE: Final = """
body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0 }
main { width: min(20rem, 90vw) }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input { margin: 0 0 1rem; padding: .5rem }
button { padding: .6rem; cursor: pointer }
[role=alert] { color: #c00 }
a { display: block; margin-top: 1rem; text-align: center }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with none, browsers do not say from which origin a form is sent
}

_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Sign in · Gallery</title>
    <style>{style}</style>
  </head>
  <body>
    <main>
      <h1>Sign in</h1>
      {parts}
    </main>
  </body>
</html>
"""

_FORM: Final = """\
<form method="post" action="{action}">
  <input type="hidden" name="next" value="{next}">
  <label for="name">Name</label>
  <input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" required autofocus>
  <label for="password">Password</label>
  <input id="password" name="password" type="password" autocomplete="current-password" required>
  <button>Sign in</button>
</form>"""


def sign_in_page(
    *,
    action: str | None,
    provider: str | None,
    next_path: str,
    name: str = "",
    problem: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """The page.

    Args:
        action: where name and password are sent; None if nobody signs in by these.
        provider: where somebody goes who signs in on the pages of an identity provider.
        next_path: where they come to afterwards, on this host.
        name: what is filled in already.
        problem: why they are here again.
        status: that of the answer.
    """
    parts = [] if problem is None else [f'<p role="alert">{escape(problem)}</p>']
    if action is not None:
        parts.append(_FORM.format(action=escape(action), next=escape(next_path), name=escape(name)))
    if provider is not None:
        address = f"{provider}?{urlencode({'next': next_path})}"
        parts.append(f'<a href="{escape(address)}">Sign in with your identity provider</a>')
    page = _PAGE.format(style=_STYLE, parts="\n".join(parts))
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
