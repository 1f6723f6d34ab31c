import { pino } from 'pino'
import { PinoPretty as pinoPretty } from 'pino-pretty'
import type { LogLevel } from '../settings/log-level.ts'
import { fieldsWithoutSecrets } from './redaction.ts'
import { currentSpan } from './trace.ts'

export type Log = Readonly<{
  debug(event: string, fields?: object): void
  info(event: string, fields?: object): void
  warn(event: string, fields?: object): void
  error(event: string, fields?: object): void
}>

/** These fields override an event's own. */
export function childLog(log: Log, fields: object): Log {
  const write =
    (level: keyof Log) =>
    (event: string, more: object = {}) =>
      log[level](event, { ...more, ...fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** JSON lines on stderr, pretty on a terminal; secrets are redacted and traces named. */
export function openLog({ level, pretty }: { level: LogLevel; pretty: boolean }): Log {
  const destination = openDestination(pretty)
  // A log that cannot be written, as on a full disk, must not stop work.
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
