import { pino } from 'pino'
import { PinoPretty as pinoPretty } from 'pino-pretty'
import type { LogLevel } from '../settings/log-level.ts'

/** One line an event: a name to search for and fields to group by. */
export type Log = Readonly<{
  debug(event: string, fields?: object): void
  info(event: string, fields?: object): void
  warn(event: string, fields?: object): void
  error(event: string, fields?: object): void
}>

/** Never written out, wherever they stand in a line's fields. */
const secrets = [
  ...['password', 'passwordHash', 'apiKey', 'apiSecret', 'passphrase', 'email', 'authorization'],
  ...['connectionString', 'databaseUrl', 'redisUrl', 'encryptionKeys'],
]

/** JSON lines on standard error; pretty where a person watches. */
export function openLog({ level, pretty }: { level: LogLevel; pretty: boolean }): Log {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    },
    pretty
      ? pinoPretty({
          destination: 2,
          sync: true,
          messageKey: 'event',
          ignore: 'pid',
          translateTime: 'UTC:HH:MM:ss',
        })
      : pino.destination({ dest: 2, sync: true }),
  )
  const write =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: object = {}) =>
      logger[name](fields, event)
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
