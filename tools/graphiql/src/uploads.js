// The uploads of this page, kept outside the panel so that they outlive its closing.

import { thumbnailOf, uploadImage } from "./upload-request.js";

/**
 * A list of uploads, newest first, and a queue that sends them one after another.
 *
 * An upload has `key`, `file`, `state` (waiting, sending, stored or failed) and `progress` (0 to 1); once
 * stored its `image` and, when there is one, `thumbnail`; once failed a `message` to show.
 */
export function createUploads({ url, headers }) {
  let uploads = [];
  let queue = Promise.resolve();
  let lastKey = 0;
  const listeners = new Set();

  function replace(changed) {
    uploads = changed;
    for (const listener of listeners) listener();
  }

  const change = (key, changes) =>
    replace(uploads.map((upload) => (upload.key === key ? { ...upload, ...changes } : upload)));

  async function send({ key, file }, fields, extraHeaders) {
    const target = { url, headers: { ...headers, ...extraHeaders } };
    try {
      change(key, { state: "sending" });
      const image = await uploadImage({
        ...target,
        file,
        fields,
        onProgress: (progress) => change(key, { progress }),
      });
      change(key, { state: "stored", progress: 1, image });
      // Not awaited: the next file need not wait for this one's thumbnail.
      thumbnailOf({ ...target, id: image.id }).then(
        (thumbnail) => change(key, { thumbnail }),
        () => undefined,
      );
    } catch (error) {
      change(key, { state: "failed", message: error.message });
    }
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    snapshot: () => uploads,
    /** Queues files; `fields` go into the mutation's input, `extraHeaders` with every request. */
    add(files, fields, extraHeaders) {
      const added = Array.from(files, (file) => ({ key: (lastKey += 1), file, state: "waiting", progress: 0 }));
      replace([...added.toReversed(), ...uploads]);
      for (const upload of added) queue = queue.then(() => send(upload, fields, extraHeaders));
    },
  };
}
