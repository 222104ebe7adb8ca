"""Work for later: a queue in PostgreSQL that jobs join in the transaction that makes them necessary, and its worker.

`docs/adr/0008-jobs.md` says why it is built this way.
"""

from gallery.platform.jobs.held import HeldJob, held, requeue_held
from gallery.platform.jobs.queue import PgJobQueue
from gallery.platform.jobs.running import Work
from gallery.platform.jobs.worker import Worker, WorkerTiming

__all__ = ["HeldJob", "PgJobQueue", "Work", "Worker", "WorkerTiming", "held", "requeue_held"]
