"""Cache-aside in Valkey: readers that answer from there if they can, and a listener that drops what was changed.

`docs/adr/0004-cache-aside.md` says what is guaranteed and why it is built this way.
"""

from gallery.platform.cache.albums import CachedAlbumReader
from gallery.platform.cache.cache import Cache, connect
from gallery.platform.cache.images import CachedImageReader
from gallery.platform.cache.metrics import CacheMetrics
from gallery.platform.cache.responses import CachedResponses
from gallery.platform.cache.tags import CachedTagReader
from gallery.platform.cache.valkey import CacheUnavailableError

__all__ = [
    "Cache",
    "CacheMetrics",
    "CacheUnavailableError",
    "CachedAlbumReader",
    "CachedImageReader",
    "CachedResponses",
    "CachedTagReader",
    "connect",
]
