import"./chunk-4L5RI3VG.js";var o={jsonc:{astFormat:"jsonc-text",parse:t=>({text:t}),locStart:()=>0,locEnd:({text:t})=>t.length}};export{o as parsers};
