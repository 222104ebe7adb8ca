// The progress of an upload with graphql-sse, the reference client of GraphQL over server-sent events.
//
// The photograph is uploaded while a subscription watches. What was heard is printed as one line of JSON.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { argv, stdout } from "node:process";

import { createClient } from "graphql-sse";

import { CSRF_HEADERS } from "./lib/main-job.mjs";

const [url, photo, progressId] = argv.slice(2);
const UPLOAD_PROGRESS = "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes totalBytes done } }";
const IMAGE_PROCESSED = "subscription ($id: ID) { imageProcessed(id: $id) { id processing } }";
const UPLOAD_IMAGE = "mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id } errors { code } } }";

/** All results of an operation, to its end. */
async function heard(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}

async function upload() {
  const body = new FormData();
  const variables = { input: { file: null, progressId } };
  body.append("operations", JSON.stringify({ query: UPLOAD_IMAGE, variables }));
  body.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
  body.append("0", new File([await readFile(photo)], path.basename(photo)), path.basename(photo));
  const response = await fetch(url, { method: "POST", headers: CSRF_HEADERS, body });
  return (await response.json()).data.uploadImage;
}

let client;
const connected = new Promise((resolve) => {
  client = createClient({ url, retryAttempts: 0, on: { connected: () => resolve() } });
});
const watching = heard(client, UPLOAD_PROGRESS, { id: progressId });
await connected;
const uploaded = await upload();
const facts = {
  uploaded,
  progress: await watching,
  processed: await heard(client, IMAGE_PROCESSED, { id: uploaded.image.id }),
  query: await heard(client, "{ __typename }", {}),
  invalid: await heard(client, "subscription { nothing }", {}),
};
client.dispose();
stdout.write(`${JSON.stringify(facts)}\n`);
