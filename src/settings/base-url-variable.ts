/** `BINANCE_BASE_URL` replaces scheme and host. */
export const baseUrlVariable = (sourceId: string): string =>
  `${sourceId.toUpperCase().replaceAll(/\W/g, '_')}_BASE_URL`

/** The same for several, each with its URL. */
export const baseUrlVariables = (urls: ReadonlyMap<string, string>): Record<string, string> =>
  Object.fromEntries([...urls].map(([sourceId, url]) => [baseUrlVariable(sourceId), url]))
