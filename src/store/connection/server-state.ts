import { sqlStateOf } from '../transaction.ts'
import { ReadOnlyServer } from './primary-client.ts'

const states: Readonly<Record<string, string>> = {
  '25006': 'PostgreSQL takes no writes: it is a replica, or default_transaction_read_only is on',
  '53100': 'the disk of PostgreSQL is full',
  '53200': 'PostgreSQL has too little memory',
  '53300': 'PostgreSQL takes no more connections',
  '57P01': 'PostgreSQL is being shut down',
  '57P02': 'PostgreSQL has crashed and restarts',
  '57P03': 'PostgreSQL is starting, or recovering after a crash',
}

/**
 * The server's state behind an error, without address, login or statement, so it can be shown publicly. Undefined if
 * the error is not about the server.
 */
export function serverStateOf(error: unknown): string | undefined {
  if (causesOf(error).some((one) => one instanceof ReadOnlyServer)) return states['25006']
  return states[sqlStateOf(error) ?? '']
}

const causesOf = (error: unknown): unknown[] => {
  if (error instanceof AggregateError) return [error, ...error.errors.flatMap(causesOf)]
  return error instanceof Error && error.cause !== undefined ? [error, ...causesOf(error.cause)] : [error]
}
