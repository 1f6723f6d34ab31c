/** Node rejects URLs with several servers. */
const credentials = /^([a-z]+:\/\/[^/?#@]*?):([^@/]*)@/i

export const passwordOf = (url: string): string | undefined => {
  const password = credentials.exec(url)?.[2]
  return password === undefined ? undefined : decodeURIComponent(password)
}

export const withoutPassword = (url: string): string => url.replace(credentials, '$1@')

export const withHiddenPassword = (url: string): string =>
  url.replace(credentials, '$1:***@').replace(/([?&](?:password|sslpassword)=)[^&]*/gi, '$1***')
