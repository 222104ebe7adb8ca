// Mercurius on Fastify, queries compiled by graphql-jit; PEER_CACHE=memory adds mercurius-cache for every relation, which
// is never told of writes, and PEER_CACHE=dropping one that is.

import Fastify from "fastify";
import mercurius from "mercurius";
import mercuriusCache from "mercurius-cache";

import { contextFor, schema } from "./schema.mjs";

const CACHE_SECONDS = 3600;
const CACHE_SIZE = 100_000; // it counts the entries of all fields together
const BY_ID = { key: ({ self }) => self.id }; // by default the whole parent is made JSON for each key

const NEVER_TOLD = {
  ttl: CACHE_SECONDS,
  storage: { type: "memory", options: { size: CACHE_SIZE } },
  policy: {
    Query: { images: true, image: true },
    Image: { thumbnails: BY_ID, tags: BY_ID, albums: BY_ID },
    Album: { imageCount: BY_ID },
  },
};

const imageReference = (id) => `image:${id}`;
const byId = (reference) => ({ ...BY_ID, references: ({ self }) => [`${reference}:${self.id}`] });

// Each relation has a reference of its own, so that a new title leaves all of them where they are.
const TOLD = {
  ttl: CACHE_SECONDS,
  storage: { type: "memory", options: { invalidation: true, size: CACHE_SIZE } },
  policy: {
    Query: {
      images: { references: (_, __, page) => ["images", ...page.nodes.map(({ id }) => imageReference(id))] },
      image: { key: ({ arg }) => arg.id, references: (_, __, image) => (image ? [imageReference(image.id)] : []) },
    },
    Image: { thumbnails: byId("thumbnails"), tags: byId("tags"), albums: byId("albums") },
    Album: { imageCount: byId("imageCount") },
    Mutation: {
      updateImage: {
        invalidate: (_, __, ___, ____, { image }) => (image ? [imageReference(image.id), "images"] : []),
      },
    },
  },
};

const CACHES = { memory: NEVER_TOLD, dropping: TOLD };

const app = Fastify();
app.register(mercurius, { schema, context: (request) => contextFor(request.headers.host), jit: 1, graphiql: false });
if (process.env.PEER_CACHE) app.register(mercuriusCache, CACHES[process.env.PEER_CACHE]);
console.log(`ready at ${await app.listen({ port: 0, host: "127.0.0.1" })}`);
