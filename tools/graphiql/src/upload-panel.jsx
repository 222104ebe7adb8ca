// A GraphiQL plugin that uploads photographs, which GraphiQL's editors cannot do.

import { Button, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { useId, useRef, useState, useSyncExternalStore } from "react";

import { createUploads } from "./uploads.js";

const ACCEPT = "image/*,.heic,.heif,.avif";

function UploadIcon() {
  return (
    <svg height="1em" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path strokeLinecap="round" strokeLinejoin="round" d="M12 15.5V4m0 0L7.5 8.5M12 4l4.5 4.5" />
      <path strokeLinecap="round" strokeLinejoin="round" d="M4 15v3.5A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 1.5-1.5V15" />
    </svg>
  );
}

function DropZone({ onFiles }) {
  const [isOver, setOver] = useState(false);
  const input = useRef(null);
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    onFiles(event.dataTransfer.files);
  };
  const choose = ({ target }) => {
    onFiles(target.files);
    target.value = ""; // so that the same file can be chosen again
  };
  return (
    <div
      className={isOver ? "upload-drop upload-drop-over" : "upload-drop"}
      onDragOver={over}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p>Drop photographs here, or</p>
      <Button type="button" onClick={() => input.current.click()}>
        Choose files
      </Button>
      <input ref={input} type="file" accept={ACCEPT} multiple hidden onChange={choose} aria-label="Photographs" />
    </div>
  );
}

function StoredImage({ image, file, thumbnail }) {
  return (
    <>
      {thumbnail && <img src={thumbnail.url} alt="" />}
      <a className="upload-name" href={image.url} target="_blank" rel="noreferrer">
        {image.originalFilename ?? file.name}
      </a>
      <span className="upload-note">
        {image.width} × {image.height} pixels
      </span>
      <code className="upload-id">{image.id}</code>
    </>
  );
}

function Upload({ file, state, progress, image, thumbnail, message }) {
  if (state === "stored") return <StoredImage image={image} file={file} thumbnail={thumbnail} />;
  return (
    <>
      <span className="upload-name">{file.name}</span>
      {state === "failed" && <span className="upload-error">{message}</span>}
      {state === "waiting" && <span className="upload-note">waiting</span>}
      {state === "sending" && <progress value={progress} aria-label={`Uploading ${file.name}`} />}
    </>
  );
}

function UploadPanel({ uploads }) {
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const list = useSyncExternalStore(uploads.subscribe, uploads.snapshot);
  const [tags, setTags] = useState("");
  const [problem, setProblem] = useState(null);
  const tagsId = useId();

  function start(files) {
    const names = tags.split(",").map((tag) => tag.trim()).filter(Boolean);
    try {
      uploads.add(files, names.length > 0 ? { tags: names } : {}, tryParseJSONC(headerEditor?.getValue()));
      setProblem(null);
    } catch (error) {
      setProblem(`Request headers ${error.message}`);
    }
  }

  return (
    <section className="upload-panel" aria-label="Upload">
      <div className="graphiql-doc-explorer-title">Upload</div>
      <label htmlFor={tagsId}>Tags, separated by commas</label>
      <input
        id={tagsId}
        type="text"
        value={tags}
        placeholder="beach, 2026"
        onChange={({ target: { value } }) => setTags(value)}
      />
      <DropZone onFiles={start} />
      {problem && <p className="upload-error">{problem}</p>}
      <ul aria-live="polite">
        {list.map(({ key, ...upload }) => (
          <li key={key} data-state={upload.state}>
            <Upload {...upload} />
          </li>
        ))}
      </ul>
      <p className="upload-note">
        Each file goes with the mutation <code>uploadImage</code> and the request headers of the open tab.
      </p>
    </section>
  );
}

/** The plugin; `target` has the GraphQL `url` and the `headers` that every request carries. */
export function uploadPlugin(target) {
  const uploads = createUploads(target);
  return { title: "Upload", icon: UploadIcon, content: () => <UploadPanel uploads={uploads} /> };
}
