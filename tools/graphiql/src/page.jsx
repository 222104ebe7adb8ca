// The page at /graphql: GraphiQL with the explorer, the history and an upload panel.

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";

import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";

import { uploadPlugin } from "./upload-panel.jsx";
import { useWorkers } from "./workers.js";

const root = document.getElementById("graphiql");
const { endpoint, headers, tabs, workers } = JSON.parse(root.dataset.config);

useWorkers(import.meta.url, workers);

const url = new URL(endpoint, location.href);
const subscriptionUrl = new URL(url);
subscriptionUrl.protocol = url.protocol.replace("http", "ws");

const fetcher = createGraphiQLFetcher({ url: url.href, subscriptionUrl: subscriptionUrl.href, headers });
const plugins = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false }), uploadPlugin({ url: url.href, headers })];

// A link may carry an operation, as in /graphql?query={images{totalCount}}: it opens in a tab of its own.
const link = new URLSearchParams(location.search);
const query = link.get("query") ?? undefined;
const variables = link.get("variables") ?? undefined;
const defaultTabs = query === undefined ? tabs : [{ query, variables }, ...tabs];

// Off unless a person has switched it on in the settings: headers hold secrets.
const keepsHeaders = localStorage.getItem("graphiql:shouldPersistHeaders") === "true" || undefined;

createRoot(root).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={plugins}
    defaultTabs={defaultTabs}
    defaultQuery=""
    initialQuery={query}
    initialVariables={variables}
    defaultEditorToolsVisibility={false}
    shouldPersistHeaders={keepsHeaders}
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>Gallery</GraphiQL.Logo>
  </GraphiQL>,
);
