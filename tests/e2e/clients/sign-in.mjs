// Signs in with Chromium, runs a query in GraphiQL, and signs out, as a person would.
//
//   node sign-in.mjs CHROMIUM GRAPHQL_URL NAME PASSWORD
//
// Prints one line of JSON: what was seen, and everything that should not have happened.

import { argv, stdout } from "node:process";

import { launch, watch } from "./lib/chromium.mjs";

const QUERY = "query WhoAsks { viewer { name role } }";

async function fillIn(page, name, password) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function askGraphiQL(page, url) {
  const link = new URL(url);
  link.searchParams.set("query", QUERY);
  await page.goto(link.href);
  await page.locator(".graphiql-query-editor .view-lines").getByText("WhoAsks").waitFor();
  const answered = page.waitForResponse((answer) => answer.request().postData()?.includes("WhoAsks"));
  await page.getByRole("button", { name: /^Execute/ }).click();
  const answer = await answered;
  await page.locator(".result-window").getByText("EDITOR").waitFor();
  return answer.json();
}

const [executablePath, url, name, password] = argv.slice(2);
const browser = await launch(executablePath);
try {
  const complaints = [];
  const context = await browser.newContext({ viewport: { width: 1400, height: 860 } });
  const page = await context.newPage();
  await page.goto(new URL("/auth/login?next=/graphql", url).href);
  await fillIn(page, name, "not this password");
  const refused = await page.getByRole("alert").innerText();
  await watch(page, [new URL(url).origin], complaints); // from here on nothing is refused
  await fillIn(page, name, password);
  await page.locator("#sign-out").waitFor();
  await page.waitForLoadState("networkidle");
  const [cookie] = await context.cookies();
  const visibleToScripts = await page.evaluate(() => document.cookie);
  const answer = await askGraphiQL(page, url);
  // What the page was loading when it was left is no fault of it.
  const seen = complaints.filter((text) => !text.startsWith("failed request"));
  await page.getByRole("button", { name: "Sign out" }).click();
  const link = await page.getByRole("button", { name: "Sign in" }).innerText();
  const afterwards = await context.request.post(url, { data: { query: "{ viewer { name } }" } }); // with its cookies
  const status = afterwards.status();
  const facts = {
    refused,
    cookie: { name: cookie.name, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path },
    visibleToScripts,
    answer,
    after: { cookies: (await context.cookies()).length, status, link },
    complaints: seen,
  };
  stdout.write(`${JSON.stringify(facts)}\n`);
} finally {
  await browser.close();
}
