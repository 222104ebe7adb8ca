// Prettier's side of a JSON formatter: the parser hands the text on, jsonc-printer.js lays it out.

export const parsers = {
  jsonc: {
    astFormat: "jsonc-text",
    parse: (text) => ({ text }),
    locStart: () => 0,
    locEnd: ({ text }) => text.length,
  },
};
