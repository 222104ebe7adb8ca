"""GraphiQL, served by the gallery itself: one page and the assets that tools/graphiql builds."""

from gallery.web.graphiql.assets import ASSETS_PATH, graphiql_assets
from gallery.web.graphiql.page import example_queries, graphiql_page

__all__ = ["ASSETS_PATH", "example_queries", "graphiql_assets", "graphiql_page"]
