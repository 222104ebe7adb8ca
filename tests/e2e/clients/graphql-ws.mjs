// Subscriptions with graphql-ws, the reference client of graphql-transport-ws, while a photograph is uploaded, and the
// codes by which the gallery closes connections, beside those that graphql-ws publishes. Printed as one line of JSON.

import { argv, stdout } from "node:process";

import { CloseCode, createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws";
import WebSocket from "ws";

import { WatchedUpload } from "./lib/watched-upload.mjs";

const [url, photo, progressId] = argv.slice(2);
const socketUrl = url.replace(/^http/, "ws");
const UPLOAD_PROGRESS = "subscription ($id: ID!) { uploadProgress(id: $id) { receivedBytes totalBytes done } }";
const IMAGE_PROCESSED = "subscription ($id: ID) { imageProcessed(id: $id) { id processing thumbnails { small { width } } } }";
const QUERY = { query: "{ __typename }" };

/** All results of an operation, to its end; each is told at once to who wants to know. */
async function heard(client, query, variables, onResult = () => {}) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) {
    results.push(result);
    onResult(result);
  }
  return results;
}

/** Whatever image is processed from now on, as a function that waits for one and then ends the subscription. */
function watchAll(client) {
  const images = [];
  const onImage = new Set();
  const end = client.subscribe(
    { query: IMAGE_PROCESSED },
    {
      next: ({ data }) => {
        images.push(data.imageProcessed);
        onImage.forEach((look) => look());
      },
      error: () => {},
      complete: () => {},
    },
  );
  return (id) =>
    new Promise((resolve) => {
      function look() {
        const found = images.find((image) => image.id === id);
        if (!found) return;
        end();
        resolve(found);
      }
      onImage.add(look);
      look();
    });
}

/** The code by which the gallery closes a connection that sends this. */
function closing(messages, protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL) {
  return new Promise((resolve) => {
    const socket = new WebSocket(socketUrl, protocol);
    socket.on("open", () => messages.forEach((message) => socket.send(JSON.stringify(message))));
    socket.on("close", resolve);
    socket.on("error", () => {}); // ws finds fault with a server that does not take its protocol, and closes
  });
}

/** What the gallery says to the handshake of a page from this origin. */
function handshake(origin) {
  return new Promise((resolve) => {
    const socket = new WebSocket(socketUrl, GRAPHQL_TRANSPORT_WS_PROTOCOL, { origin });
    socket.on("open", () => {
      resolve(101);
      socket.close();
    });
    socket.on("unexpected-response", (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on("error", () => {});
  });
}

async function closings() {
  const [init, subscribe] = [{ type: "connection_init" }, { type: "subscribe", id: "1", payload: QUERY }];
  const watch = { type: "subscribe", id: "1", payload: { query: "subscription { imageProcessed { id } }" } };
  return {
    BadRequest: await closing([["connection_init"]]),
    Unauthorized: await closing([subscribe]),
    ConnectionInitialisationTimeout: await closing([]),
    SubscriberAlreadyExists: await closing([init, watch, watch]),
    TooManyInitialisationRequests: await closing([init, init]),
    SubprotocolNotAcceptable: await closing([], []),
  };
}

/** The result that an operation of graphql-ws's client fails with. */
async function failure(client, query) {
  try {
    return await heard(client, query, {});
  } catch (errors) {
    return errors;
  }
}

const client = createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, lazy: false });
const upload = new WatchedUpload();
const progress = heard(client, UPLOAD_PROGRESS, { id: progressId }, (result) => upload.hear(result));
const amongAll = watchAll(client);
const query = await heard(client, QUERY.query, {}); // sent later than both subscriptions, so they have arrived
const uploaded = await upload.send(url, photo, progressId);
const { id } = uploaded.image;
const facts = {
  uploaded,
  query,
  progress: await progress,
  processed: await heard(client, IMAGE_PROCESSED, { id }),
  amongAll: await amongAll(id),
  invalid: await failure(client, "subscription { nothing }"),
  closings: await closings(),
  published: CloseCode,
  older: await closing([], "graphql-ws"),
  handshakes: [await handshake(new URL(url).origin), await handshake("https://evil.example")],
};
await client.dispose();
stdout.write(`${JSON.stringify(facts)}\n`);
