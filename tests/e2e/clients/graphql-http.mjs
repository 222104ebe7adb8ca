// The audits of graphql-http, the reference implementation of GraphQL over HTTP. What each found is printed as one
// line of JSON.

import { argv, stdout } from "node:process";

import { serverAudits } from "graphql-http";

import { CSRF_HEADERS } from "./lib/main-job.mjs";

const [url] = argv.slice(2);

/**
 * Some audits send a query by GET, as a link on any page could make a browser do. The gallery takes those only with a
 * header that no link can carry, which the specification leaves to servers, so every request of the audits has one.
 */
function fetchWithCsrfHeader(address, request = {}) {
  return fetch(address, { ...request, headers: { ...request.headers, ...CSRF_HEADERS } });
}

const results = [];
for (const audit of serverAudits({ url, fetchFn: fetchWithCsrfHeader })) {
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, ...(reason && { reason }) });
}
stdout.write(`${JSON.stringify({ results })}\n`);
