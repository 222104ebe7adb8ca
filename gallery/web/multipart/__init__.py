"""GraphQL multipart requests, parsed as they arrive: files flow from the socket to whoever reads them.

The protocol is https://github.com/jaydenseric/graphql-multipart-request-spec.
"""

from gallery.web.multipart.request import MultipartRequest
from gallery.web.multipart.upload import IncomingUpload

__all__ = ["IncomingUpload", "MultipartRequest"]
