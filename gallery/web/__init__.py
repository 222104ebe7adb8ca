"""HTTP: GraphQL, media and health."""
