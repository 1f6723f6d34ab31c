/** Package root with `config/` and `drizzle/`. This file and the bundle are at the same depth. */
export const packageDir: URL = new URL('..', import.meta.url)
