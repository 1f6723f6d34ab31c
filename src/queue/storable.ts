const maxTextLength = 4_096
const maxStackLength = 8_192
const maxDepth = 8

/**
 * PostgreSQL rejects NUL and lone surrogates: such an error could not be stored, and its job would repeat without a
 * reason.
 */
export const storableText = (text: string, maxLength = maxTextLength): string =>
  text.slice(0, maxLength).toWellFormed().replaceAll('\u0000', '\\0')

/** Bigints become text; undefined is dropped. */
export function storable(value: unknown, maxLength = maxTextLength, depth = maxDepth): unknown {
  if (typeof value === 'string') return storableText(value, maxLength)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '[not kept: too deep]'
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return storable(value.toJSON(), maxLength, depth - 1)
  }
  if (Array.isArray(value)) return value.map((item) => storable(item, maxLength, depth - 1))
  return storableRecord(value, maxLength, depth)
}

export const storableRecord = (
  record: object,
  maxLength = maxTextLength,
  depth = maxDepth,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      storableText(name, maxLength),
      storable(value, maxLength, depth - 1),
    ]),
  )

/** The original is its cause. */
export function storableError(thrown: unknown): Error {
  const original = thrown instanceof Error ? thrown : new Error(String(thrown))
  const error = new Error(storableText(original.message), { cause: original })
  error.name = original.name
  error.stack = storableText(original.stack ?? error.message, maxStackLength)
  return error
}
