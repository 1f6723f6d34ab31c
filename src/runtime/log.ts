import { pino } from 'pino'
import { PinoPretty as pinoPretty } from 'pino-pretty'
import type { LogLevel } from '../settings/log-level.ts'
import { fieldsWithoutSecrets } from './redaction.ts'
import { currentSpan } from './trace.ts'

/** One line an event: a name to search for and fields to group by. */
export type Log = Readonly<{
  debug(event: string, fields?: object): void
  info(event: string, fields?: object): void
  warn(event: string, fields?: object): void
  error(event: string, fields?: object): void
}>

/** A log that puts these fields on each of its lines, whatever an event's own fields of that name say. */
export function childLog(log: Log, fields: object): Log {
  const write =
    (level: keyof Log) =>
    (event: string, more: object = {}) =>
      log[level](event, { ...more, ...fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/**
 * JSON lines on standard error; pretty where a person watches. No secret is ever written out, and what is written in a traced
 * job names the trace.
 */
export function openLog({ level, pretty }: { level: LogLevel; pretty: boolean }): Log {
  const destination = openDestination(pretty)
  // A log that nobody can take, as on a full disk, must not end the work that it is about.
  destination.on('error', () => undefined)
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      mixin: () => currentSpan()?.ids ?? {},
    },
    destination,
  )
  const write =
    (name: keyof Log) =>
    (event: string, fields: object = {}) => {
      if (logger.isLevelEnabled(name)) logger[name](fieldsWithoutSecrets(fields), event)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

const openDestination = (pretty: boolean) =>
  pretty
    ? pinoPretty({
        destination: 2,
        sync: true,
        messageKey: 'event',
        ignore: 'pid',
        translateTime: 'UTC:HH:MM:ss',
      })
    : pino.destination({ dest: 2, sync: true })
