import{c as n,d as t}from"./chunk-STSEUAPQ.js";import"./chunk-4L5RI3VG.js";var r={tabSize:2,insertSpaces:!0,eol:`
`,keepLines:!1},o={"jsonc-text":{print:({node:{text:e}})=>`${t(e,n(e,void 0,r)).trim()}
`}};export{o as printers};
