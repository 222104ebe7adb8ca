// The main job with urql, which makes a multipart request by itself when a variable is a file.

import { cacheExchange, createClient, fetchExchange } from "@urql/core";

import { CSRF_HEADERS, main } from "./lib/main-job.mjs";

async function dataOf(source) {
  const { data, error } = await source.toPromise();
  if (error) throw error;
  return data;
}

await main((url) => {
  const client = createClient({
    url,
    exchanges: [cacheExchange, fetchExchange],
    fetchOptions: { headers: CSRF_HEADERS },
    preferGetForQueries: true,
    requestPolicy: "network-only",
  });
  return {
    query: (document, variables) => dataOf(client.query(document, variables)),
    mutate: (document, variables) => dataOf(client.mutation(document, variables)),
  };
});
