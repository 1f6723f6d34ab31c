import { minute } from '../../market/instant.ts'
import type { ErrorTable } from './error-table.ts'

const codeIn = (text: string): string | undefined => /<Code>([A-Za-z]+)<\/Code>/.exec(text)?.[1]
const messageIn = (text: string): string => /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? ''

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
/** S3: `<Error><Code>NoSuchKey</Code><Message>…</Message></Error>`; missing files are 404. */
export const binanceArchiveErrors: ErrorTable = {
  source: 'binance-archive',
  read: ({ status, text }) => {
    if (status >= 200 && status < 300) return undefined
    const code = codeIn(text)
    if (code !== undefined) return { code, message: messageIn(text) }
    if (status === 404) return { code: 'NoSuchKey', message: 'HTTP 404' }
    if (status !== 403) return undefined
    return { code: /\b(?:country|region)\b/i.test(text) ? 'HTTP 403 region' : 'HTTP 403', message: '' }
  },
  codes: {
    NoSuchKey: 'refused',
    NoSuchBucket: 'refused',
    // Also for missing files, if listing is forbidden.
    AccessDenied: 'refused',
    AllAccessDisabled: 'refused',
    InvalidURI: 'refused',
    KeyTooLongError: 'refused',
    MethodNotAllowed: 'refused',
    SlowDown: 'wait',
    TooManyRequests: 'wait',
    BandwidthLimitExceeded: 'wait',
    InternalError: 'retry',
    OperationAborted: 'retry',
    RequestTimeout: 'retry',
    ServiceUnavailable: 'retry',
    'HTTP 403 region': 'blocked',
    // Not a ban; the API supplies the data instead.
    'HTTP 403': 'retry',
  },
  clientStatuses: [403],
  limit: { windowMs: minute },
}
