/** Errors about the server's state, not the command. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/\bREADONLY\b/, 'Redis takes no writes: the server is a replica'],
  [/\bMASTERDOWN\b/, 'Redis takes no writes: the server is a replica whose primary is down'],
  [/^LOADING\b/, 'Redis is still loading its data'],
  [/\bOOM\b/, 'Redis is full: raise its maxmemory, or give it more memory'],
  [/\bMISCONF\b/, 'Redis takes no writes because it cannot save its data: see the log of Redis'],
  [/\bNOREPLICAS\b/, 'Redis takes no writes because it has too few replicas (min-replicas-to-write)'],
  [/\bCLUSTERDOWN\b/, 'the Redis Cluster is down: some of its slots have no primary'],
  [/^(?:WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)\b/, 'Redis refuses the login'],
  [/^NOPERM\b/, 'Redis refuses a command to this user'],
  [/^ERR max number of clients/, 'Redis takes no more connections: raise its maxclients'],
]

/** The refusal as the beginning of a message; undefined for other errors. */
export function redisRefusal(error: unknown): string | undefined {
  const texts = messagesOf(error)
  return refusals.find(([form]) => texts.some((text) => form.test(text)))?.[1]
}

/** Transactions and clusters wrap the server's message. */
function messagesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const inner = [error.cause, ...[get(error, 'previousErrors')].flat(), get(error, 'lastNodeError')]
  return [error.message, ...inner.flatMap(messagesOf)]
}

const get = (error: Error, name: string): unknown => Reflect.get(error, name)

/** After these a new connection may reach the primary. */
const demoted = /\b(?:READONLY|MASTERDOWN)\b/

export const isDemoted = (error: Error): boolean => demoted.test(error.message)
