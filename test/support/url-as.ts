/** The same URL for another login, whose password is its name. */
export function urlAs(databaseUrl: string, login: string): string {
  const url = new URL(databaseUrl)
  url.username = login
  url.password = login
  return url.href
}
