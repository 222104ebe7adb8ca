// The requests behind the upload panel: the GraphQL multipart request specification, with progress.
// https://github.com/jaydenseric/graphql-multipart-request-spec

const UPLOAD = `mutation UploadImage($input: UploadImageInput!) {
  uploadImage(input: $input) {
    image { id originalFilename url width height }
    errors { code message }
  }
}`;

const PREVIEW = `query UploadedImage($id: ID!) {
  image(id: $id) {
    processing
    thumbnails { small { url width height } }
  }
}`;

const POLL_INTERVAL_MS = 500;
const POLL_LIMIT = 60;

/**
 * Sends one file with `uploadImage`.
 *
 * Resolves to the stored image; rejects with an Error whose message is fit to be shown.
 * `onProgress` gets the part that has left, 0 to 1.
 */
export async function uploadImage({ url, headers, file, fields, onProgress }) {
  const body = new FormData();
  const variables = { input: { ...fields, file: null } };
  body.append("operations", JSON.stringify({ query: UPLOAD, variables }));
  body.append("map", JSON.stringify({ 0: ["variables.input.file"] }));
  body.append("0", file, file.name);
  const { uploadImage: payload } = dataOf(await post({ url, headers, body, onProgress }));
  if (payload.errors.length > 0) throw new Error(messagesOf(payload.errors));
  return payload.image;
}

/** Resolves to the small thumbnail of an image once it has one, or to null when none is to be had. */
export async function thumbnailOf({ url, headers, id }) {
  const body = JSON.stringify({ query: PREVIEW, variables: { id } });
  for (let attempt = 0; attempt < POLL_LIMIT; attempt += 1) {
    const { image } = dataOf(await post({ url, headers: { ...headers, "Content-Type": "application/json" }, body }));
    if (image?.thumbnails?.small) return image.thumbnails.small;
    if (image?.processing !== "PENDING") return null;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  return null;
}

/** POSTs with XMLHttpRequest: fetch does not tell how much of a body has been sent. */
function post({ url, headers, body, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("Accept", "application/graphql-response+json, application/json");
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(loaded / total);
    request.onerror = () => reject(new Error("The server could not be reached, or closed the connection."));
    request.onload = () => {
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        reject(new Error(`The server answered with HTTP status ${request.status}.`));
      }
    };
    request.send(body);
  });
}

function dataOf({ data, errors }) {
  if (errors?.length > 0) throw new Error(messagesOf(errors));
  return data;
}

const messagesOf = (errors) => errors.map(({ message }) => message).join(" ");
