"""What can go wrong around the embedded servers; every message is a sentence that a person can act on.

EmbeddedError
├── BinaryNotFoundError      no program for a service, neither in a wheel nor on PATH
├── DataFolderInUseError     somebody else uses the data folder in a way that excludes us
├── DataFolderUnusableError  its permissions or its content stand in the way
├── ServerDidNotStartError   a server ended or stayed silent; carries the end of its log
└── ServerDiedError          a server died again and again while we watched it
"""


class EmbeddedError(Exception):
    """An embedded server cannot be had; `str()` says why and what to do."""


class BinaryNotFoundError(EmbeddedError):
    """No program for a service fits this platform."""


class DataFolderInUseError(EmbeddedError):
    """Another process holds the data folder."""


class DataFolderUnusableError(EmbeddedError):
    """The data folder cannot be written, or holds files that the servers at hand cannot read."""


class ServerDidNotStartError(EmbeddedError):
    """A server did not become ready in time."""


class ServerDiedError(EmbeddedError):
    """A server keeps dying."""
