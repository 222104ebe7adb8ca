"""A page of metrics as Prometheus understands it."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def sample(name: str, /, **labels: str) -> Sample:
    """The name of a series."""
    return name, frozenset(labels.items())


def scraped(page: str | bytes) -> Mapping[Sample, float]:
    """The value of every series of a page."""
    text = page if isinstance(page, str) else page.decode()
    families = text_string_to_metric_families(text)
    return {sample(one.name, **one.labels): one.value for family in families for one in family.samples}
