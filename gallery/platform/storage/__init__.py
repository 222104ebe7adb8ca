"""The bytes of images and renditions, in an S3-compatible store.

`docs/adr/0007-object-storage.md` says why uploads are built as they are.
"""
