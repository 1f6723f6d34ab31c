const censored = '[secret]'

/** Redacted wherever they are: `apiKey`, `redis_url`, `webhookSecret`. */
const secretName =
  /pass(?:word|phrase|wd)|secret|tokens?$|api[-_]?key|(?:private|encryption)[-_]?keys?|authorization|cookie|credential|signature|email|connection[-_]?string|(?:database|redis|webhook)[-_]?url/i

/** Deep enough for logs. */
const maxDepth = 8

/** Replaces secrets by field name and by pattern. */
export const fieldsWithoutSecrets = (fields: object): object =>
  fields instanceof Error ? { error: errorWithoutSecrets(fields, 1) } : recordWithoutSecrets(fields, 0)

const recordWithoutSecrets = (record: object, depth: number): object =>
  Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      name,
      secretName.test(name) && isReported(value) ? censored : valueWithoutSecrets(value, depth + 1),
    ]),
  )

const isReported = (value: unknown): boolean =>
  value !== undefined && value !== null && typeof value !== 'boolean'

function valueWithoutSecrets(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutSecrets(value)
  if (typeof value !== 'object' || value === null) return value
  // Cycles are cut.
  if (depth > maxDepth) return '[too deep]'
  if (value instanceof Error) return errorWithoutSecrets(value, depth)
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return valueWithoutSecrets(value.toJSON(), depth + 1)
  if (Array.isArray(value)) return value.map((item) => valueWithoutSecrets(item, depth + 1))
  return recordWithoutSecrets(value, depth)
}

function errorWithoutSecrets({ name, message, stack, cause }: Error, depth: number): object {
  return {
    name,
    message: withoutSecrets(message),
    stack: withoutSecrets(stack ?? ''),
    ...(cause === undefined ? {} : { cause: valueWithoutSecrets(cause, depth + 1) }),
  }
}

const secretTexts: readonly (readonly [RegExp, string])[] = [
  // Unencoded passwords may contain @: the last one ends it.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/?#]*):[^\s"'<>]*@/gi, `$1:${censored}@`],
  // Such URLs allow posting.
  [/\b(hooks\.slack\.com\/services|discord(?:app)?\.com\/api\/webhooks)\/[^\s"'<>]+/gi, `$1/${censored}`],
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, censored],
  // Connection strings, queries and JSON bodies.
  [
    /((?:pass(?:word|phrase|wd)|secret|token|api[-_]?key|(?:private|encryption|access)[-_]?keys?|authorization|credential|signature)[\w-]*\\?["']?\s*[:=]\s*)(?:\\?"[^"]*"|\\?'[^']*'|(?:(?:basic|bearer|digest)\s+)?[^\s"'&,;{}[\]()]+)/gi,
    `$1${censored}`,
  ],
  [/\b(bearer)\s+[\w.~+/=-]{8,}/gi, `$1 ${censored}`],
  [/\b(basic)\s+(?=\S*[\d=])[\w+/=-]{8,}/gi, `$1 ${censored}`],
]

/** Replaces passwords in URLs, keys and tokens. */
export const withoutSecrets = (text: string): string =>
  secretTexts.reduce((reported, [form, instead]) => reported.replaceAll(form, instead), text)
