import type { ErrorKind } from './error-table.ts'

/** "Too many …" that is not about requests. */
const notRequests =
  'parameters?|arguments?|symbols?|instruments?|points?|candles?|rows?|records?|results?|intervals?|pairs?|currenc|aggregations?|characters?|orders?|ids?'

/** Rate limits in any wording. */
const limitWords: readonly RegExp[] = [
  /\brate[\s-]*limit/i,
  /\brequest[\s-]*(?:rate|limit)/i,
  new RegExp(`\\btoo[\\s-]*many(?![\\s-]*(?:${notRequests}))`, 'i'),
  /\btoo[\s-]*much[\s-]*(?:requests?|traffic|load|weight)\b/i,
  /\btoo[\s-]*(?:frequent|fast|often|quick)/i,
  /\bfrequency\b.{0,40}\b(?:exceed|limit|high)|\b(?:exceed\w*|limit\w*|high)\b.{0,40}\bfrequency\b/i,
  /\bfrequently too fast\b|\bthrottl|\bslow[\s-]*down\b|\breduce your request/i,
  /\bexceed\w*\b.{0,20}\bquota\b|\bquota\b.{0,20}\bexceed/i,
  /频繁|限流/,
]

/** Temporary trouble. */
const passingWords: readonly RegExp[] = [
  /\bbusy\b|\boverload|\btry(?:ing)?[\s-]*again\b|\bretry\b|\blater\b/i,
  /\bmaintain|\bmaintenance\b|\bupgrading\b|\bsystem[\s-]*upgrade/i,
  /\btemporar(?:y|ily)\b|\bunavailable\b|\bnot[\s-]*available[\s-]*now\b|\boffline\b/i,
  /\btime[\s-]*out\b|\btimed[\s-]*out\b/i,
  /\binternal(?:[\s-]*(?:server|system))?[\s-]*error\b|\b(?:server|system|network)[\s-]*(?:error|abnormal)/i,
  /繁忙|维护|稍后/,
]

/**
 * Wording overrides generic codes, since sources report limits and outages under any code. Vague words are only
 * `retry`, which is bounded.
 */
export function kindByWording(text: string): Extract<ErrorKind, 'wait' | 'retry'> | undefined {
  const words = separated(text)
  if (limitWords.some((pattern) => pattern.test(words))) return 'wait'
  return passingWords.some((pattern) => pattern.test(words)) ? 'retry' : undefined
}

/** Splits labels: TOO_FAST, SlowDown. */
const separated = (text: string): string =>
  text.replaceAll('_', ' ').replaceAll(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
