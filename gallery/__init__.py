"""A self-hosted image gallery behind a GraphQL API."""

from importlib.metadata import version

__version__ = version("gallery")
