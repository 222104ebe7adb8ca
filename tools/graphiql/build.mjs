// Bundles GraphiQL from npm packages into gallery/web/graphiql/static, which is committed.
//
//   npm ci && npm run build     writes the assets
//   npm ci && npm run check     exits with 1 when the committed assets are not what a build would write
//
// The same package-lock.json gives the same bytes: esbuild's output depends on its input alone, and every
// name carries a hash of its content.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TARGET = path.resolve(HERE, "../../gallery/web/graphiql/static");

const PAGE = "src/page.jsx";
const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};

/** Modules that a GraphQL page can do without, and what stands in for them. */
const REPLACEMENTS = [
  // Prettier's JavaScript parser and printer, 500 kB for the sake of indenting JSON.
  [/^prettier\/plugins\/estree$/, "src/jsonc-printer.js"],
  [/^prettier\/parser-babel$/, "src/jsonc-parser.js"],
  // The same code under a second name.
  [/^prettier\/parser-graphql$/, "prettier/plugins/graphql"],
];

const replaceModules = {
  name: "replace-modules",
  setup(build) {
    for (const [filter, replacement] of REPLACEMENTS) {
      build.onResolve({ filter }, ({ kind }) =>
        replacement.startsWith("src/")
          ? { path: path.join(HERE, replacement) }
          : build.resolve(replacement, { kind, resolveDir: HERE }),
      );
    }
  },
};

async function bundle() {
  const entryPoints = [
    { in: PAGE, out: "graphiql" },
    ...Object.entries(WORKERS).map(([name, module]) => ({ in: module, out: `${name}-worker` })),
  ];
  return esbuild.build({
    absWorkingDir: HERE,
    entryPoints,
    outdir: TARGET,
    write: false,
    metafile: true,
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".ttf": "file" },
    define: { "process.env.NODE_ENV": '"production"' },
    legalComments: "none",
    logLevel: "warning",
    plugins: [replaceModules],
  });
}

/** Which file plays which part; the page is rendered from this. */
function manifestOf(metafile) {
  const outputs = Object.entries(metafile.outputs);
  const nameOf = (file) => path.basename(file);
  const entry = (source) => {
    const found = outputs.find(([, output]) => output.entryPoint?.endsWith(source));
    if (!found) throw new Error(`the build has no output for ${source}`);
    return { name: nameOf(found[0]), output: found[1] };
  };
  const page = entry(PAGE);
  const statics = new Set();
  const follow = (output) => {
    for (const { path: file, kind } of output.imports) {
      if (kind !== "import-statement" || statics.has(file)) continue;
      statics.add(file);
      follow(metafile.outputs[file]);
    }
  };
  follow(page.output);
  return {
    script: page.name,
    style: nameOf(page.output.cssBundle),
    preload: [...statics].map(nameOf).sort(),
    workers: Object.fromEntries(Object.entries(WORKERS).map(([name, module]) => [name, entry(module).name])),
  };
}

/** The files of a build by name, without style sheets that nothing refers to. */
async function filesOf({ metafile, outputFiles }) {
  const manifest = manifestOf(metafile);
  const files = new Map();
  for (const { path: file, contents } of outputFiles) {
    const name = path.basename(file);
    if (!name.endsWith(".css") || name === manifest.style) files.set(name, Buffer.from(contents));
  }
  files.set("manifest.json", Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  files.set("LICENSES.txt", Buffer.from(await licensesOf(metafile)));
  return files;
}

/** The licence of every package that has code in the bundle. */
async function licensesOf(metafile) {
  const packages = new Map();
  for (const input of Object.keys(metafile.inputs)) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (folder && !packages.has(folder)) packages.set(folder, await licenseOf(path.join(HERE, folder)));
  }
  return [...new Set(packages.values())].sort().join(`\n${"-".repeat(80)}\n\n`);
}

async function licenseOf(folder) {
  const { name, version, license } = createRequire(import.meta.url)(path.join(folder, "package.json"));
  const file = (await readdir(folder)).sort().find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  const text = file ? await readFile(path.join(folder, file), "utf8") : `Licence: ${license}`;
  return `${name} ${version}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`;
}

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function differences(files) {
  const committed = new Set(await readdir(TARGET).catch(() => []));
  const found = [];
  for (const [name, bytes] of files) {
    if (!committed.delete(name)) found.push(`missing: ${name}`);
    else if (digest(await readFile(path.join(TARGET, name))) !== digest(bytes)) found.push(`stale: ${name}`);
  }
  return [...found, ...[...committed].map((name) => `left over: ${name}`)].sort();
}

async function write(files) {
  await rm(TARGET, { recursive: true, force: true });
  await mkdir(TARGET, { recursive: true });
  for (const [name, bytes] of files) await writeFile(path.join(TARGET, name), bytes);
}

const files = await filesOf(await bundle());
const size = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
if (process.argv.includes("--check")) {
  const found = await differences(files);
  if (found.length > 0) {
    console.error(`${path.relative(process.cwd(), TARGET)} is not what a build writes:\n${found.join("\n")}`);
    console.error("Run `npm ci && npm run build` in tools/graphiql and commit the result.");
    process.exit(1);
  }
  console.log(`${files.size} files, ${size} bytes: up to date`);
} else {
  await write(files);
  console.log(`${files.size} files, ${size} bytes, written to ${path.relative(process.cwd(), TARGET)}`);
}
