"""The GraphQL schema, how its operations are executed, and the endpoint that serves it."""

from gallery.web.graphql import enums as enums  # registered before any class of the schema uses one
