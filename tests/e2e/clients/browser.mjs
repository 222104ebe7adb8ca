// Opens the GraphiQL page in Chromium and uses it as a person would.
//
//   node browser.mjs CHROMIUM GRAPHQL_URL PHOTO TEXT_FILE
//
// Prints one line of JSON: what was seen, and everything that should not have happened.

import { argv, stdout } from "node:process";

import { launch, watch } from "./lib/chromium.mjs";

const panelButton = (page, name) => page.locator(".graphiql-sidebar").getByRole("button", { name });

async function openPage(page, url) {
  await page.goto(url);
  await page.locator(".graphiql-query-editor .view-lines").getByText("LatestImages").waitFor();
  return { title: await page.title(), tabs: await page.getByRole("tab").allInnerTexts() };
}

async function upload(page, photo, textFile) {
  await panelButton(page, "Upload").click();
  await page.getByLabel("Tags, separated by commas").fill("seaside, holiday");
  await page.getByLabel("Photographs").setInputFiles([photo, textFile]);
  const stored = page.locator("li[data-state=stored]");
  const thumbnail = stored.getByRole("presentation");
  await thumbnail.waitFor();
  const failed = page.locator("li[data-state=failed]");
  await failed.waitFor();
  return {
    id: await stored.locator("code").innerText(),
    name: await stored.getByRole("link").innerText(),
    url: await stored.getByRole("link").getAttribute("href"),
    thumbnailWidth: await thumbnail.evaluate(async (image) => (await image.decode(), image.naturalWidth)),
    refused: await failed.innerText(),
    count: await page.locator(".upload-panel li").count(),
  };
}

async function runQuery(page) {
  const answered = page.waitForResponse((answer) => answer.request().postData()?.includes("LatestImages"));
  await page.getByRole("button", { name: /^Execute/ }).click();
  const answer = await answered;
  await page.locator(".result-window").getByText("totalCount").waitFor();
  return { csrf: await answer.request().headerValue("X-GraphQL-CSRF"), answer: await answer.json() };
}

/** The explorer, the documentation and the history show what the schema and the session hold. */
async function openPanels(page) {
  await panelButton(page, /GraphiQL Explorer/).click();
  const explorer = page.locator(".docExplorerWrap, .graphiql-explorer-root").first();
  await explorer.getByText("originalFilename").first().waitFor();
  await panelButton(page, /Documentation Explorer/).click();
  await page.locator(".graphiql-doc-explorer").getByText("query").first().waitFor();
  await panelButton(page, /History/).click();
  return { history: await page.locator(".graphiql-history-item-label").allInnerTexts() };
}

/** A link opens in a tab of its own, and the GraphQL worker marks what the schema does not have. */
async function followLink(page, url) {
  const link = new URL(url);
  link.searchParams.set("query", "query FromLink { noSuchField }");
  await page.goto(link.href);
  await page.locator(".graphiql-query-editor .squiggly-error").waitFor();
  await page.getByRole("button", { name: /^Prettify/ }).click();
  await page.locator(".graphiql-query-editor .view-line").nth(2).waitFor();
  const lines = await page.locator(".graphiql-query-editor .view-line").allInnerTexts();
  return lines.map((line) => line.replaceAll("\u00a0", " "));
}

const [executablePath, url, photo, textFile] = argv.slice(2);
const browser = await launch(executablePath);
try {
  const complaints = [];
  const page = await browser.newPage({ viewport: { width: 1400, height: 860 } });
  await watch(page, [new URL(url).origin], complaints);
  const opened = await openPage(page, url);
  const uploaded = await upload(page, photo, textFile);
  const queried = await runQuery(page);
  const panels = await openPanels(page);
  const linked = await followLink(page, url);
  stdout.write(`${JSON.stringify({ opened, uploaded, queried, panels, linked, complaints })}\n`);
} finally {
  await browser.close();
}
