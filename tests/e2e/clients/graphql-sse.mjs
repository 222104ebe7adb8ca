// The progress of an upload with graphql-sse, the reference client of GraphQL over server-sent events.
//
// The photograph is uploaded while a subscription watches. What was heard is printed as one line of JSON.

import { argv, stdout } from "node:process";

import { createClient } from "graphql-sse";

import { WatchedUpload } from "./lib/watched-upload.mjs";

const [url, photo, progressId] = argv.slice(2);
const UPLOAD_PROGRESS = "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes totalBytes done } }";
const IMAGE_PROCESSED = "subscription ($id: ID) { imageProcessed(id: $id) { id processing } }";

/** All results of an operation, to its end; each is told at once to who wants to know. */
async function heard(client, query, variables, onResult = () => {}) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) {
    results.push(result);
    onResult(result);
  }
  return results;
}

let client;
const connected = new Promise((resolve) => {
  client = createClient({ url, retryAttempts: 0, on: { connected: () => resolve() } });
});
const upload = new WatchedUpload();
const watching = heard(client, UPLOAD_PROGRESS, { id: progressId }, (result) => upload.hear(result));
await connected;
const uploaded = await upload.send(url, photo, progressId);
const facts = {
  uploaded,
  progress: await watching,
  processed: await heard(client, IMAGE_PROCESSED, { id: uploaded.image.id }),
  query: await heard(client, "{ __typename }", {}),
  invalid: await heard(client, "subscription { nothing }", {}),
};
client.dispose();
stdout.write(`${JSON.stringify(facts)}\n`);
