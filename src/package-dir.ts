/**
 * The folder of this package, with `config/`, `drizzle/` and the files that are no code. The one place that may ask where it
 * is itself: this file and the bundle of all files lie equally deep.
 */
export const packageDir: URL = new URL('..', import.meta.url)
