// An upload whose progress somebody watches: half of it is sent, and the rest once it was heard that some has arrived.

import { readFile } from "node:fs/promises";
import path from "node:path";

import { CSRF_HEADERS } from "./main-job.mjs";

const UPLOAD_IMAGE = "mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id } errors { code } } }";

export class WatchedUpload {
  #goOn;
  #isOnItsWay = new Promise((resolve) => {
    this.#goOn = resolve;
  });

  /** Takes what the subscription tells. */
  hear({ data }) {
    if (data.uploadProgress.receivedBytes > 0) this.#goOn();
  }

  /** Sends a photograph under a name by which its progress is told. */
  async send(url, photo, progressId) {
    const form = new FormData();
    const variables = { input: { file: null, progressId } };
    form.append("operations", JSON.stringify({ query: UPLOAD_IMAGE, variables }));
    form.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
    form.append("0", new File([await readFile(photo)], path.basename(photo)), path.basename(photo));
    const request = new Response(form);
    const headers = { ...CSRF_HEADERS, "Content-Type": request.headers.get("Content-Type") };
    const body = this.#halves(new Uint8Array(await request.arrayBuffer()));
    const response = await fetch(url, { method: "POST", headers, body, duplex: "half" });
    return (await response.json()).data.uploadImage;
  }

  #halves(bytes) {
    const middle = bytes.length >> 1;
    return new ReadableStream({
      start: async (controller) => {
        controller.enqueue(bytes.subarray(0, middle));
        await this.#isOnItsWay;
        controller.enqueue(bytes.subarray(middle));
        controller.close();
      },
    });
  }
}
