"""The GraphQL schema, how its operations are executed, and the endpoint that serves it."""
