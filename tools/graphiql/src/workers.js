// Monaco's workers, started from the page's own origin: no blob URL, so `worker-src 'self'` is enough.

export function useWorkers(base, names) {
  globalThis.MonacoEnvironment = {
    getWorker: (_id, label) => new Worker(new URL(names[label] ?? names.editor, base), { type: "module" }),
  };
}
