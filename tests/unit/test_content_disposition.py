"""Names under which browsers save files."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import HTTP
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.domain.names import clean_filename
from gallery.web.content_disposition import inline


@pytest.mark.parametrize(
    ("filename", "field"),
    [
        ("harbour.jpg", 'inline; filename="harbour.jpg"'),
        ("my harbour (1).jpg", 'inline; filename="my harbour (1).jpg"'),
        ('a"b.jpg', "inline; filename=\"a_b.jpg\"; filename*=UTF-8''a%22b.jpg"),
        ("a;b.jpg", "inline; filename=\"a_b.jpg\"; filename*=UTF-8''a%3Bb.jpg"),
        ("100%.jpg", "inline; filename=\"100_.jpg\"; filename*=UTF-8''100%25.jpg"),
        ("caf\xe9.jpg", "inline; filename=\"caf_.jpg\"; filename*=UTF-8''caf%C3%A9.jpg"),
        ("a\r\nSet-Cookie: b", "inline; filename=\"a__Set-Cookie_ b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"),
        ("..\\x.jpg", "inline; filename=\".._x.jpg\"; filename*=UTF-8''..%5Cx.jpg"),
    ],
)
def test_names_are_sent_plain_and_where_needed_whole(filename: str, field: str) -> None:
    assert inline(filename) == field


@given(st.text())
def test_field_is_plain_ascii_without_line_breaks_whatever_the_name(filename: str) -> None:
    field = inline(filename)
    assert field.isascii()
    assert field.isprintable()
    assert field.count('"') == 2


@given(st.text().map(clean_filename))
def test_whole_name_is_read_back_as_it_was(filename: str) -> None:
    _, _, extended = inline(filename).partition("filename*=UTF-8''")
    if extended:
        assert unquote(extended) == filename
    else:
        message = EmailMessage(policy=HTTP)
        message["Content-Disposition"] = inline(filename)
        assert message.get_filename() == filename
