import { redisRefusal } from '../../queue/redis/refusal.ts'
import { hasCode } from '../../runtime/error-code.ts'
import { serverStateOf } from '../../store/connection/server-state.ts'

/** The message of a server or machine error with its remedy; undefined for others. */
export function foreseenMessage(error: unknown): string | undefined {
  const refusal = serverStateOf(error) ?? redisRefusal(error)
  if (refusal !== undefined) return `${refusal}; then run this again`
  return causesOf(error)
    .map(messageOfCode)
    .find((message) => message !== undefined)
}

/** Exhausted resources. */
function messageOfCode(error: Error): string | undefined {
  const path = 'path' in error && typeof error.path === 'string' ? ` (${error.path})` : ''
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return `the disk is full${path}: make room, and run this again`
  if (hasCode(error, 'EMFILE'))
    return 'this process may open no more files: raise the limit with "ulimit -n 1024"'
  if (hasCode(error, 'ENFILE')) return 'this machine may open no more files: raise fs.file-max'
  if (hasCode(error, 'ENOMEM'))
    return 'this machine has too little memory for that: end other programs, or add some'
  if (hasCode(error, 'EROFS')) return `the disk cannot be written${path}: choose another folder`
  if (hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'))
    return `a server does not answer (${error.message}): see that PostgreSQL and Redis run`
  if (/^(?:Command timed out|Connection is closed\.|None of startup nodes is available)/.test(error.message))
    return 'Redis does not answer: see that it runs, and that REDIS_URL is right'
  return undefined
}

function causesOf(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  return [error, ...inner.flatMap(causesOf)]
}
