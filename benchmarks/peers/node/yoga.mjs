// GraphQL Yoga on Node's own HTTP server. PEER_COMPILE=no leaves execution to graphql-js in place of graphql-jit;
// PEER_CACHE=memory or valkey keeps answers.

import { createServer } from "node:http";

import { useGraphQlJit } from "@envelop/graphql-jit";
import { createRedisCache } from "@envelop/response-cache-redis";
import { useResponseCache } from "@graphql-yoga/plugin-response-cache";
import { createYoga } from "graphql-yoga";
import { Redis } from "ioredis";

import { contextFor, schema } from "./schema.mjs";

const CACHE_MILLISECONDS = 3_600_000;

function cachePlugins(kind) {
  if (!kind) return [];
  const shared = kind === "valkey" ? { cache: createRedisCache({ redis: new Redis(process.env.PEER_CACHE_SOCKET) }) } : {};
  return [useResponseCache({ session: () => null, ttl: CACHE_MILLISECONDS, ...shared })];
}

const yoga = createYoga({
  schema,
  context: ({ request }) => contextFor(request.headers.get("host")),
  plugins: [...(process.env.PEER_COMPILE === "no" ? [] : [useGraphQlJit()]), ...cachePlugins(process.env.PEER_CACHE)],
  logging: false,
  graphiql: false,
  landingPage: false,
  multipart: false,
});
const server = createServer(yoga);
server.listen(0, "127.0.0.1", () => console.log(`ready at http://127.0.0.1:${server.address().port}`));
