// Chromium as the scripts use it: quiet, without a way to any other host, and watched.

import { getuid } from "node:process";

import { chromium } from "playwright-core";

const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A request to any other host cannot even be resolved.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
// Chromium refuses its sandbox to root.
const SANDBOX = getuid() === 0 ? ["--no-sandbox"] : [];

export function launch(executablePath) {
  return chromium.launch({ executablePath, args: [...QUIET, ...SANDBOX] });
}

/** Collects what a page must not do: call hosts other than these origins, break its policy, fail. */
export async function watch(page, origins, complaints) {
  const foreign = (url) => !origins.includes(new URL(url).origin) && !url.startsWith("data:");
  page.on("request", (request) => foreign(request.url()) && complaints.push(`foreign request: ${request.url()}`));
  page.on("websocket", (socket) => foreign(socket.url()) && complaints.push(`foreign socket: ${socket.url()}`));
  page.on("requestfailed", (request) => complaints.push(`failed request: ${request.url()}`));
  page.on("response", (answer) => answer.status() >= 400 && complaints.push(`${answer.status()}: ${answer.url()}`));
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("console", (entry) => {
    if (["error", "warning"].includes(entry.type())) complaints.push(`console: ${entry.text()}`);
  });
  await page.exposeFunction("complain", (text) => complaints.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      globalThis.complain(`policy: ${violatedDirective} ${blockedURI}`),
    );
  });
}
