/** Whether this is an error of the operating system (`ENOENT`), or of Node, with one of the codes. */
export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))
