// What people use the gallery for, step by step, through whichever client is handed in.
//
// A client has `query(document, variables)` and `mutate(document, variables)`, both resolving to `data`
// and rejecting when the answer has errors. The facts of every step are printed as one line of JSON.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { argv, stdout } from "node:process";

import * as documents from "./documents.mjs";

const POLL_INTERVAL_MS = 100;
const POLL_LIMIT = 300;

export const CSRF_HEADERS = { "X-GraphQL-CSRF": "1" };

/** Runs the job with `connect(url)` against the address, with the photograph and the tag, that the command line names. */
export async function main(connect) {
  const [url, photo, tag] = argv.slice(2);
  const facts = await runMainJob(connect(url), photo, tag);
  const withoutTypeNames = (key, value) => (key === "__typename" ? undefined : value);
  stdout.write(`${JSON.stringify(facts, withoutTypeNames)}\n`);
}

async function runMainJob(client, photo, tag) {
  const facts = { refused: await uploadText(client) };
  facts.uploaded = await upload(client, photo);
  const { id } = facts.uploaded.image;
  facts.original = await download(facts.uploaded.image.url);
  facts.ready = await untilProcessed(client, id);
  facts.thumbnails = await downloadThumbnails(facts.ready);
  facts.tagged = (await client.mutate(documents.TAG_IMAGES, { input: { imageIds: [id], tags: [tag] } })).tagImages;
  facts.listed = (await client.query(documents.LIST_IMAGES, { first: 10, tags: [tag] })).images;
  Object.assign(facts, await putIntoAlbum(client, id));
  facts.seen = (await client.query(documents.GET_IMAGE, { id })).image;
  facts.deleted = (await client.mutate(documents.DELETE_IMAGE, { input: { id } })).deleteImage;
  facts.afterwards = await lookAgain(client, id, tag, facts.created.album.id);
  return facts;
}

async function uploadText(client) {
  const file = new File(["no picture at all"], "notes.jpg", { type: "image/jpeg" });
  return (await client.mutate(documents.UPLOAD_IMAGE, { input: { file } })).uploadImage;
}

async function upload(client, photo) {
  const file = new File([await readFile(photo)], path.basename(photo), { type: "image/jpeg" });
  const input = { file, title: "Quarters", description: "Four colours", tags: ["colours"] };
  return (await client.mutate(documents.UPLOAD_IMAGE, { input })).uploadImage;
}

async function untilProcessed(client, id) {
  for (let attempt = 0; attempt < POLL_LIMIT; attempt += 1) {
    const { image } = await client.query(documents.GET_IMAGE, { id });
    if (image.processing !== "PENDING") return image;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  throw new Error(`image ${id} is still being processed`);
}

async function downloadThumbnails({ thumbnails }) {
  const { small, medium, large } = thumbnails;
  return { small: await download(small.url), medium: await download(medium.url), large: await download(large.url) };
}

async function putIntoAlbum(client, imageId) {
  const input = { title: "Evenings", description: "After the sun" };
  const created = (await client.mutate(documents.CREATE_ALBUM, { input })).createAlbum;
  const { id } = created.album;
  const added = (await client.mutate(documents.ADD_IMAGES_TO_ALBUM, { input: { albumId: id, imageIds: [imageId] } }))
    .addImagesToAlbum;
  const { album } = await client.query(documents.GET_ALBUM, { id });
  return { created, added, album };
}

async function lookAgain(client, id, tag, albumId) {
  return {
    image: await codesOf(client.query(documents.GET_IMAGE, { id })),
    listed: (await client.query(documents.LIST_IMAGES, { first: 10, tags: [tag] })).images.totalCount,
    album: (await client.query(documents.GET_ALBUM, { id: albumId })).album,
  };
}

/** The codes of the errors with which a client rejects; each client keeps them in a place of its own. */
async function codesOf(answering) {
  try {
    await answering;
  } catch (error) {
    const errors = error.response?.errors ?? error.graphQLErrors ?? error.errors;
    return errors.map(({ extensions }) => extensions.code);
  }
  return [];
}

async function download(url) {
  const response = await fetch(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    status: response.status,
    contentType: response.headers.get("content-type"),
    base64: bytes.toString("base64"),
  };
}
