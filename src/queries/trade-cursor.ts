import { InvalidInput } from '../fault.ts'
import { parseDate, toInstant } from '../market/instant.ts'
import { isUuid } from './input.ts'

/** The last trade of a page. The time is PostgreSQL's text with microseconds, which an Instant lacks. */
export type TradePlace = Readonly<{ accountId: string; executedAt: string; id: string }>

const separator = '|'
const timestampForm = /^(?!0000)\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?$/

/** Opaque. */
export const writeCursor = ({ accountId, executedAt, id }: TradePlace): string =>
  Buffer.from([accountId, executedAt, id].join(separator)).toString('base64url')

/** Throws InvalidInput unless it is a cursor of this account. */
export function readCursor(cursor: string, accountId: string): TradePlace {
  const [account = '', executedAt = '', id = ''] = Buffer.from(cursor, 'base64url')
    .toString()
    .split(separator)
  const place = { accountId: account, executedAt, id }
  const isWhole = isUuid(account) && isUuid(id) && isTimestamp(executedAt) && writeCursor(place) === cursor
  if (!isWhole) {
    throw new InvalidInput('the cursor is not one that was handed out: pass nextCursor of a page, or none')
  }
  if (account.toLowerCase() !== accountId.toLowerCase()) {
    throw new InvalidInput('the cursor is of the history of another account: begin again without a cursor')
  }
  return place
}

/** An invalid date would abort the transaction. */
const isTimestamp = (text: string): boolean =>
  timestampForm.test(text) && parseDate(text.slice(0, 19), toInstant(0)) !== undefined
