// Indents JSON with comments by means of jsonc-parser, which GraphiQL ships anyway.

import { applyEdits, format } from "jsonc-parser";

const OPTIONS = { tabSize: 2, insertSpaces: true, eol: "\n", keepLines: false };

export const printers = {
  "jsonc-text": {
    print: ({ node: { text } }) => `${applyEdits(text, format(text, undefined, OPTIONS)).trim()}\n`,
  },
};
