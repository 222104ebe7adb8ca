"""Answers that are kept."""

from __future__ import annotations

from gallery.domain.response_ports import KeptResponse


def test_other_codings_take_no_more_room_than_the_answer_itself() -> None:
    kept = KeptResponse(body=bytes(10), digest="d")
    kept.keep_encoded("br", bytes(6))
    kept.keep_encoded("gzip", bytes(5))
    kept.keep_encoded("zstd", bytes(4))

    assert kept.encoded == {"br": bytes(6), "zstd": bytes(4)}
