// Automatic persisted queries with Apollo Client's own link. What travelled and what came is printed as one line of JSON.

import { createHash } from "node:crypto";
import { argv, stdout } from "node:process";

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";

import { CSRF_HEADERS } from "./lib/main-job.mjs";

const [url, name] = argv.slice(2);

/** Two clients, each with what it sent: the first tells the gallery a document that the second only names. */
function connect({ byGet }) {
  const sent = [];
  async function watchedFetch(address, request) {
    const response = await fetch(address, request);
    const parameters = request.method === "GET" ? Object.fromEntries(new URL(address).searchParams) : JSON.parse(request.body);
    sent.push({ method: request.method, hasQuery: "query" in parameters, status: response.status });
    return response;
  }
  const hashing = new PersistedQueryLink({
    sha256: (query) => createHash("sha256").update(query).digest("hex"),
    useGETForHashedQueries: byGet,
  });
  const link = ApolloLink.from([hashing, new HttpLink({ uri: url, headers: CSRF_HEADERS, fetch: watchedFetch })]);
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link,
    defaultOptions: { query: { fetchPolicy: "network-only" } },
  });
  return { client, sent };
}

async function asked({ client, sent }, document) {
  sent.length = 0;
  const { data } = await client.query({ query: gql(document) });
  return { data, sent: [...sent] };
}

// A name of its own makes the document new to the gallery.
const document = `query ${name} { stats { imageCount } }`;
const [first, second] = [connect({ byGet: false }), connect({ byGet: true })];
const facts = {
  told: await asked(first, document),
  again: await asked(first, document),
  elsewhere: await asked(second, document),
  newByGet: await asked(second, `query ${name}Tags { stats { tagCount } }`),
};
stdout.write(`${JSON.stringify(facts)}\n`);
