"""The GraphQL schema, how its operations are executed, and the endpoint that serves it."""

from gallery.web.graphql import enums  # noqa: F401  # registers the enums before any type mentions one
