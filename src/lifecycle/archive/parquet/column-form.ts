import type { Encoding, SchemaElement } from 'hyparquet'
import { Misconfigured } from '../../../fault.ts'
import type { ArchiveColumn } from '../../../store/lifecycle/archives/archive-content.ts'

/** A PostgreSQL type in a Parquet file. */
export type ColumnForm = Readonly<{
  element: Omit<SchemaElement, 'name' | 'repetition_type'>
  /** Older annotation, the only one some readers know. */
  older?: Pick<SchemaElement, 'converted_type' | 'precision' | 'scale'>
  encoding?: Encoding
  /** Whether row groups have min and max. */
  statistics: boolean
  encode(text: string): unknown
  decode(value: unknown): string
  /** If PostgreSQL needs another text. */
  toSql?(text: string): string
  /** DuckDB's type. */
  duckType: string
  /** Its extreme values. */
  duckExtremes: Readonly<{ least: string; greatest: string }>
}>

/** Throws Misconfigured for a type without an exact form. */
export function formOf({ name, type }: ArchiveColumn): ColumnForm {
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(type)
  if (numeric) {
    const [precision, scale] = [Number(numeric[1]), Number(numeric[2])]
    if (precision <= 38) return decimalForm(precision, scale)
  }
  const plain = plainForms[type.replace(/\(\d+\)$/, '')]
  if (plain) return plain
  throw new Misconfigured(
    `column ${name} is of the type ${type}, which no archive can hold: leave its table out`,
  )
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError('the file has another type of value than its schema says')
}

/** Bytes for this many decimal digits in two's complement; at least 8, written as two words. */
const byteLength = (digits: number): number => Math.max(8, Math.ceil((digits * Math.log2(10) + 1) / 8))

/** DECIMAL as an unscaled integer. No statistics: bytewise order is wrong for negatives. */
function decimalForm(precision: number, scale: number): ColumnForm {
  const length = byteLength(precision)
  return {
    element: {
      type: 'FIXED_LEN_BYTE_ARRAY',
      type_length: length,
      logical_type: { type: 'DECIMAL', precision, scale },
    },
    older: { converted_type: 'DECIMAL', precision, scale },
    statistics: false,
    encode: (text) => unscaledBytes(text, scale, length),
    decode: (value) => scaledText(bytesOf(value), scale),
    duckType: `decimal(${precision}, ${scale})`,
    duckExtremes: { least: `-${nines(precision, scale)}`, greatest: nines(precision, scale) },
  }
}

const nines = (precision: number, scale: number): string =>
  `${'9'.repeat(precision - scale)}${scale === 0 ? '' : `.${'9'.repeat(scale)}`}`

/** Fast path: a double holds these exactly. */
const quickDigits = 15

function unscaledBytes(text: string, scale: number, length: number): Uint8Array {
  const digits = text.replace('.', '')
  if (!/^-?\d+$/.test(digits) || (scale > 0 && text.at(-scale - 1) !== '.')) {
    throw new Misconfigured(
      `"${text}" has no exact form in a file: it must be a number with ${scale} decimals`,
    )
  }
  // Node's pool is faster than an allocation per value.
  const bytes = Buffer.allocUnsafe(length).fill(0)
  if (digits.length <= quickDigits && !digits.startsWith('-')) {
    const unscaled = Number(digits)
    bytes.writeUInt32BE(Math.floor(unscaled / 4_294_967_296), length - 8)
    bytes.writeUInt32BE(unscaled % 4_294_967_296, length - 4)
    return bytes
  }
  let rest = BigInt(digits)
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  if (rest !== 0n && rest !== -1n) throw new Misconfigured(`"${text}" is larger than its column`)
  return bytes
}

function scaledText(bytes: Uint8Array, scale: number): string {
  const unscaled = unscaledText(bytes)
  const sign = unscaled.startsWith('-') ? '-' : ''
  const digits = unscaled.slice(sign.length).padStart(scale + 1, '0')
  return scale === 0 ? unscaled : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function unscaledText(bytes: Uint8Array): string {
  const head = bytes.length - 7
  let quick = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0
    if (at < head && byte !== 0) return String(wideNumber(bytes))
    quick = quick * 256 + byte
  }
  // Seven bytes may exceed a double.
  return quick <= Number.MAX_SAFE_INTEGER && head > 0 ? String(quick) : String(wideNumber(bytes))
}

const wideNumber = (bytes: Uint8Array): bigint =>
  BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))

/** Microseconds since 1970, UTC; not "adjusted to UTC", so that readers do not convert. */
const timestampForm: ColumnForm = {
  element: { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } },
  encoding: 'DELTA_BINARY_PACKED',
  statistics: true,
  encode: (text) => BigInt(text),
  decode: (value) => String(value),
  toSql: timestampText,
  duckType: 'timestamp',
  duckExtremes: { least: '0001-01-01', greatest: '9999-12-31' },
}

function timestampText(microsText: string): string {
  const micros = BigInt(microsText)
  const rest = ((micros % 1_000n) + 1_000n) % 1_000n
  return `${new Date(Number((micros - rest) / 1_000n)).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}`
}

const dayMs = 86_400_000

const dateForm: ColumnForm = {
  element: { type: 'INT32', logical_type: { type: 'DATE' } },
  older: { converted_type: 'DATE' },
  statistics: true,
  encode: (text) => Date.parse(`${text}T00:00:00Z`) / dayMs,
  decode: (value) => new Date(Number(value) * dayMs).toISOString().slice(0, 10),
  duckType: 'date',
  duckExtremes: { least: '0001-01-01', greatest: '9999-12-31' },
}

/** Sorts after all texts. */
const lastText = String.fromCodePoint(0x10ffff).repeat(4)

const textForm: ColumnForm = {
  element: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  statistics: true,
  encode: (text) => text,
  decode: (value) => decoder.decode(bytesOf(value)),
  duckType: 'varchar',
  duckExtremes: { least: '', greatest: lastText },
}

/** Unparsed, as 1.10 would become 1.1. */
const jsonForm: ColumnForm = {
  element: { type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } },
  older: { converted_type: 'JSON' },
  statistics: false,
  encode: (text) => encoder.encode(text),
  decode: (value) => decoder.decode(bytesOf(value)),
  duckType: 'json',
  duckExtremes: { least: '""', greatest: '{}' },
}

const uuidForm: ColumnForm = {
  element: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } },
  statistics: false,
  encode: (text) => Buffer.from(text.replaceAll('-', ''), 'hex'),
  decode: (value) =>
    Buffer.from(bytesOf(value))
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  duckType: 'uuid',
  duckExtremes: {
    least: '00000000-0000-0000-0000-000000000000',
    greatest: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  },
}

const integerForm: ColumnForm = {
  element: { type: 'INT32' },
  statistics: true,
  encode: (text) => Number(text),
  decode: (value) => String(value),
  duckType: 'integer',
  duckExtremes: { least: '-2147483648', greatest: '2147483647' },
}

const bigintForm: ColumnForm = {
  element: { type: 'INT64' },
  statistics: true,
  encode: (text) => BigInt(text),
  decode: (value) => String(value),
  duckType: 'bigint',
  duckExtremes: { least: '-9223372036854775808', greatest: '9223372036854775807' },
}

const booleanForm: ColumnForm = {
  element: { type: 'BOOLEAN' },
  statistics: true,
  encode: (text) => text === 'true',
  decode: (value) => String(value),
  duckType: 'boolean',
  duckExtremes: { least: 'false', greatest: 'true' },
}

const plainForms: Readonly<Record<string, ColumnForm>> = {
  'timestamp without time zone': timestampForm,
  date: dateForm,
  'character varying': textForm,
  text: textForm,
  json: jsonForm,
  jsonb: jsonForm,
  uuid: uuidForm,
  integer: integerForm,
  bigint: bigintForm,
  boolean: booleanForm,
}

/** For files without column types. Throws Misconfigured for unknown types. */
export function columnOf({
  name,
  type,
  repetition_type,
  logical_type: logical,
}: SchemaElement): ArchiveColumn {
  const sqlType =
    logical?.type === 'DECIMAL'
      ? `numeric(${logical.precision},${logical.scale})`
      : (sqlTypes[logical?.type ?? type ?? ''] ?? sqlTypes[type ?? ''])
  if (sqlType === undefined) throw new Misconfigured(`column ${name} has a type that no archive has`)
  return { name, type: sqlType, nullable: repetition_type !== 'REQUIRED' }
}

const sqlTypes: Readonly<Record<string, string>> = {
  TIMESTAMP: 'timestamp without time zone',
  DATE: 'date',
  STRING: 'text',
  JSON: 'jsonb',
  UUID: 'uuid',
  INT32: 'integer',
  INT64: 'bigint',
  BOOLEAN: 'boolean',
}
