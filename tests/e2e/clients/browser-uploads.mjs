// Uploads from a page of the gallery's own origin in Chromium, as a front end would: through the gallery and past it.
//
//   node browser-uploads.mjs CHROMIUM GRAPHQL_URL PHOTO LARGE_BYTES
//
// Prints one line of JSON: what each way of sending gave, the progress that the browser told, and every complaint.

import { readFile } from "node:fs/promises";
import { argv, stdout } from "node:process";

import { launch, watch } from "./lib/chromium.mjs";

/** Defines `app` in the page: what a front end would have in its own scripts. */
function defineApp() {
  const UPLOAD_IMAGE = `mutation ($input: UploadImageInput!) {
    uploadImage(input: $input) { outcome image { id checksum originalFilename } errors { code } }
  }`;
  const CREATE_UPLOAD = `mutation ($input: CreateUploadInput!) {
    createUpload(input: $input) { upload { id partUrls { number url firstByte size } } errors { code } }
  }`;
  const COMPLETE_UPLOAD = `mutation ($input: CompleteUploadInput!) {
    completeUpload(input: $input) { outcome image { id checksum originalFilename } errors { code } }
  }`;

  /** A photograph with random bytes behind it, so that the gallery has not seen it before. */
  function photograph(base64, name, sizeBytes) {
    const start = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const chunks = [start];
    for (let left = sizeBytes - start.length; left > 0; left -= 65536) {
      chunks.push(crypto.getRandomValues(new Uint8Array(Math.min(left, 65536))));
    }
    return new File(chunks, name, { type: "image/jpeg" });
  }

  async function checksum(file) {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function multipart(file) {
    const form = new FormData();
    form.append("operations", JSON.stringify({ query: UPLOAD_IMAGE, variables: { input: { file: null } } }));
    form.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
    form.append("0", file);
    return form;
  }

  async function operation(query, input) {
    const body = JSON.stringify({ query, variables: { input } });
    const answer = await fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const [payload] = Object.values((await answer.json()).data);
    return payload;
  }

  /** Sends with XMLHttpRequest, the one way to hear of progress. */
  function send(method, url, headers, body) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const progress = [];
      request.upload.addEventListener("progress", ({ loaded, total }) => progress.push({ loaded, total }));
      request.addEventListener("load", () => resolve({ request, progress }));
      request.addEventListener("error", () => reject(new Error(`${method} failed`)));
      request.open(method, url);
      Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
      request.send(body);
    });
  }

  async function staged(file, sendPart) {
    const announced = { filename: file.name, fileSize: file.size, contentType: file.type, checksum: await checksum(file) };
    const { upload } = await operation(CREATE_UPLOAD, announced);
    const parts = await Promise.all(
      upload.partUrls.map(({ url, firstByte, size }) => sendPart(url, file.slice(firstByte, firstByte + size))),
    );
    return { parts, payload: await operation(COMPLETE_UPLOAD, { id: upload.id }) };
  }

  globalThis.app = { photograph, checksum, multipart, send, staged };
}

const ways = {
  /** Through the gallery with `fetch`. */
  async fetched([base64, sizeBytes]) {
    const file = app.photograph(base64, "fetched.jpg", sizeBytes);
    const headers = { "X-GraphQL-CSRF": "1" };
    const answer = await fetch("/graphql", { method: "POST", headers, body: app.multipart(file) });
    const payload = (await answer.json()).data.uploadImage;
    return { status: answer.status, checksum: await app.checksum(file), payload };
  },

  /** Through the gallery with XMLHttpRequest, which tells how far it is. */
  async watched([base64, sizeBytes]) {
    const file = app.photograph(base64, "watched.jpg", sizeBytes);
    const headers = { "X-GraphQL-CSRF": "1" };
    const { request, progress } = await app.send("POST", "/graphql", headers, app.multipart(file));
    const payload = JSON.parse(request.responseText).data.uploadImage;
    return { status: request.status, checksum: await app.checksum(file), payload, progress };
  },

  /** Past the gallery with `fetch`; reads the ETag, which the storage must expose. */
  async stagedFetched([base64, sizeBytes]) {
    const file = app.photograph(base64, "staged-fetched.jpg", sizeBytes);
    const { parts, payload } = await app.staged(file, async (url, body) => {
      const answer = await fetch(url, { method: "PUT", body });
      await answer.arrayBuffer();
      return { status: answer.status, hasEtag: answer.headers.has("ETag") };
    });
    return { parts, checksum: await app.checksum(file), payload };
  },

  /** Past the gallery with XMLHttpRequest, with progress across origins. */
  async stagedWatched([base64, sizeBytes]) {
    const file = app.photograph(base64, "staged-watched.jpg", sizeBytes);
    const { parts, payload } = await app.staged(file, async (url, body) => {
      const { request, progress } = await app.send("PUT", url, {}, body);
      return { status: request.status, hasEtag: request.getResponseHeader("ETag") !== null, progress, size: body.size };
    });
    return { parts, checksum: await app.checksum(file), payload };
  },
};

const [executablePath, url, photo, largeBytes] = argv.slice(2);
const { origin } = new URL(url);
const browser = await launch(executablePath);
try {
  const complaints = [];
  // The gallery serves no front end: GraphiQL is a page of its origin, here without the policy of that page.
  const page = await browser.newPage({ bypassCSP: true });
  const others = new Set();
  page.on("request", (request) => others.add(new URL(request.url()).origin));
  // Of the storage the page learns in answers; how many other origins it talks to is among the facts.
  await watch(page, { includes: () => true }, complaints);
  await page.goto(url);
  await page.evaluate(defineApp);
  const given = [(await readFile(photo)).toString("base64"), Number(largeBytes)];
  const facts = {};
  for (const [name, way] of Object.entries(ways)) {
    facts[name] = await page.evaluate(way, given);
  }
  others.delete(origin);
  stdout.write(`${JSON.stringify({ ...facts, otherOrigins: others.size, complaints })}\n`);
} finally {
  await browser.close();
}
