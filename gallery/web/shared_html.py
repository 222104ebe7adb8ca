"""The frame of the page of a share link, and the policy under which a browser shows it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
figure { margin: 0; }
img { height: 12rem; object-fit: cover; width: 100%; }
.text { white-space: pre-wrap; }
"""

_POLICY: Final = {
    "default-src": "'none'",
    "img-src": "'self'",
    "style-src": f"'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

PAGE_HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in _POLICY.items()),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}

_PAGE: Final = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{title}</title>
    <style>{style}</style>
  </head>
  <body>
    <h1>{title}</h1>
    <p class="text">{text}</p>
    {content}
  </body>
</html>
"""


def html_page(title: str, text: str, content: str) -> str:
    """The page. Title and text are shown as they are; the content is HTML."""
    return _PAGE.format(title=escape(title), style=_STYLE, text=escape(text), content=content)
