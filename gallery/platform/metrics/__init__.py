"""What the gallery counts, as Prometheus reads it.

Requests and files are counted where they end (`counters.py`); what the cache, the storage and the pool of connections
count for themselves is looked at when somebody asks (`gauges.py`), and so is what the database alone knows
(`database.py`). Where several processes serve, each tells the page of all (`several.py`).
"""

from gallery.platform.metrics.counters import PrometheusMetrics
from gallery.platform.metrics.database import DatabaseFigures, DatabaseState
from gallery.platform.metrics.gauges import ProcessState
from gallery.platform.metrics.page import PrometheusPage
from gallery.platform.metrics.several import Ledger

__all__ = ["DatabaseFigures", "DatabaseState", "Ledger", "ProcessState", "PrometheusMetrics", "PrometheusPage"]
