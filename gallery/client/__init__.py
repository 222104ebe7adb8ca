"""A client of a running gallery: brings files to it over HTTP, and goes on where it was interrupted.

It knows the gallery by its schema alone, as any other client does.
"""
