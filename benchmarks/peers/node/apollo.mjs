// Apollo Server on the HTTP server that it brings; behind Fastify it takes no less processor time.

import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";

import { contextFor, schema } from "./schema.mjs";

const apollo = new ApolloServer({ schema });
const { url } = await startStandaloneServer(apollo, {
  context: async ({ req }) => contextFor(req.headers.host),
  listen: { port: 0, host: "127.0.0.1" },
});
console.log(`ready at http://127.0.0.1:${new URL(url).port}`);
