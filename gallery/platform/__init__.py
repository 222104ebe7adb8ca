"""Adapters to everything outside the process, each behind a port of the domain."""
