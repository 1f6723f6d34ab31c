import type { BackfillResult } from '../../ingest/backfill/summary.ts'
import { counted } from '../../status/words.ts'

type Failed = BackfillResult['failed']

/** Failed jobs with reason and a command that helps. */
export function failedText(failed: Failed, again: string): string {
  const [first] = failed
  const { coinId, timeframe, from } = first?.chunk ?? { coinId: '', timeframe: '', from: '' }
  const of = failed.length === 1 ? '' : ', the first'
  const reason = first?.error.replace(/[.\s]+$/, '') ?? ''
  const text = `${counted(failed.length, 'job')} failed${of} (${coinId} ${timeframe} from ${from}): ${reason}`
  return /\bbeacon [a-z]/.test(reason) ? text : `${text}. Load what is missing with: ${again}`
}
