// The main job with Apollo Client and apollo-upload-client; queries travel as GET.

import { ApolloClient, gql, InMemoryCache } from "@apollo/client";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";

import { main } from "./lib/main-job.mjs";

await main((url) => {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new UploadHttpLink({ uri: url, headers: { "Apollo-Require-Preflight": "true" }, useGETForQueries: true }),
    defaultOptions: { query: { fetchPolicy: "network-only" } },
  });
  return {
    query: async (document, variables) => (await client.query({ query: gql(document), variables })).data,
    mutate: async (document, variables) => (await client.mutate({ mutation: gql(document), variables })).data,
  };
});
