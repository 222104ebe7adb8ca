"""PostgreSQL: rows, repositories and readers. The only package that knows SQL.

`docs/adr/0002-rows-readers-and-units-of-work.md` says why it is built this way.
"""
