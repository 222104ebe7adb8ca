// Mercurius on Fastify, queries compiled by graphql-jit; PEER_CACHE=memory adds mercurius-cache for every relation.

import Fastify from "fastify";
import mercurius from "mercurius";
import mercuriusCache from "mercurius-cache";

import { contextFor, schema } from "./schema.mjs";

const CACHE_SECONDS = 3600;
const BY_ID = { key: ({ self }) => self.id }; // by default the whole parent is made JSON for each key

const app = Fastify();
app.register(mercurius, { schema, context: (request) => contextFor(request.headers.host), jit: 1, graphiql: false });
if (process.env.PEER_CACHE === "memory") {
  app.register(mercuriusCache, {
    ttl: CACHE_SECONDS,
    policy: {
      Query: { images: true, image: true },
      Image: { thumbnails: BY_ID, tags: BY_ID, albums: BY_ID },
      Album: { imageCount: BY_ID },
    },
  });
}
console.log(`ready at ${await app.listen({ port: 0, host: "127.0.0.1" })}`);
