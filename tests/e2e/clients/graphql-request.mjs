// The main job with graphql-request.
//
// It sends JSON only; files go through its `requestMiddleware`, which makes a multipart request of the body.

import extractFiles from "extract-files/extractFiles.mjs";
import { GraphQLClient } from "graphql-request";

import { CSRF_HEADERS, main } from "./lib/main-job.mjs";

function sendFilesAsMultipart(request) {
  const { clone, files } = extractFiles({ variables: request.variables }, (value) => value instanceof File);
  if (files.size === 0) return request;
  const { query, operationName } = JSON.parse(request.body);
  const body = new FormData();
  const parts = [...files];
  body.append("operations", JSON.stringify({ query, operationName, ...clone }));
  body.append("map", JSON.stringify(Object.fromEntries(parts.map(([, paths], index) => [index, paths]))));
  parts.forEach(([file], index) => body.append(String(index), file, file.name));
  const headers = new Headers(request.headers);
  headers.delete("Content-Type");
  return { ...request, body, headers };
}

await main((url) => {
  const client = new GraphQLClient(url, { headers: CSRF_HEADERS, requestMiddleware: sendFilesAsMultipart });
  const request = (document, variables) => client.request(document, variables);
  return { query: request, mutate: request };
});
