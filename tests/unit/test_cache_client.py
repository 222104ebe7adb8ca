"""Where the cache is, as people write it."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from redis.asyncio import SSLConnection

from gallery.platform.cache.channels import channel_of
from gallery.platform.cache.valkey import create_client
from gallery.settings import CacheSettings


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_an_address_names_host_port_database_and_password(scheme: str) -> None:
    client = create_client(CacheSettings(url=SecretStr(f"{scheme}://:s%40cret@cache.example:6380/3")))

    options = client.connection_pool.connection_kwargs
    assert {name: options[name] for name in ("host", "port", "db", "password")} == {
        "host": "cache.example",
        "port": 6380,
        "db": 3,
        "password": "s@cret",
    }


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_an_address_may_ask_for_encryption(scheme: str) -> None:
    client = create_client(CacheSettings(url=SecretStr(f"{scheme}://cache.example")))

    assert client.connection_pool.connection_class is SSLConnection


def test_an_address_may_be_a_unix_socket() -> None:
    client = create_client(CacheSettings(url=SecretStr("unix:///run/valkey/valkey.sock")))

    assert client.connection_pool.connection_kwargs["path"] == "/run/valkey/valkey.sock"


def test_connections_are_bounded_and_calls_are_not_repeated() -> None:
    pool = create_client(CacheSettings(url=SecretStr("redis://cache.example"))).connection_pool

    assert pool.max_connections == 32
    assert pool.connection_kwargs["retry"].get_retries() == 0


@pytest.mark.parametrize(
    ("url", "channel"),
    [
        ("redis://cache.example", "gallery:drops@0"),
        ("redis://cache.example/3", "gallery:drops@3"),
        ("unix:///run/valkey.sock?db=5", "gallery:drops@5"),
    ],
    ids=["none", "path", "query"],
)
def test_channels_hold_the_number_of_the_database(url: str, channel: str) -> None:
    assert channel_of(create_client(CacheSettings(url=SecretStr(url))), "gallery:drops") == channel
