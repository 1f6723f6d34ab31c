import type { Encoding, SchemaElement } from 'hyparquet'
import { Misconfigured } from '../../../fault.ts'
import type { ArchiveColumn } from '../../../store/lifecycle/archives/archive-content.ts'

/** How values of one type of PostgreSQL lie in a Parquet file. */
export type ColumnForm = Readonly<{
  /** Type and annotation, as readers of today want them. */
  element: Omit<SchemaElement, 'name' | 'repetition_type'>
  /** The older annotation of the same, which some readers know alone. */
  older?: Pick<SchemaElement, 'converted_type' | 'precision' | 'scale'>
  encoding?: Encoding
  /** Whether a row group says its least and greatest value. */
  statistics: boolean
  /** From the text that PostgreSQL wrote to the value of the file. */
  encode(text: string): unknown
  /** From the value of the file to the same text. */
  decode(value: unknown): string
  /** From that text to one that PostgreSQL reads as the column's type, where it is another. */
  toSql?(text: string): string
  /** The column's type in DuckDB. */
  duckType: string
  /** The least and the greatest value that it can have there. */
  duckExtremes: Readonly<{ least: string; greatest: string }>
}>

/** How a column is written. Throws Misconfigured for a type that has no exact form here. */
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

/** Bytes of a two's complement number that holds so many decimal digits; eight at least, which are written as two words. */
const byteLength = (digits: number): number => Math.max(8, Math.ceil((digits * Math.log2(10) + 1) / 8))

/**
 * A DECIMAL as a whole number of its smallest unit, in bytes enough for its digits. No statistics: they are
 * ordered byte by byte here, which is wrong below zero.
 */
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

/** Digits that a double holds exactly, for what most prices have. */
const quickDigits = 15

function unscaledBytes(text: string, scale: number, length: number): Uint8Array {
  const digits = text.replace('.', '')
  if (!/^-?\d+$/.test(digits) || (scale > 0 && text.at(-scale - 1) !== '.')) {
    throw new Misconfigured(
      `"${text}" has no exact form in a file: it must be a number with ${scale} decimals`,
    )
  }
  // Of Node's pool: one allocation each would cost more than all else here.
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
  // Seven bytes may be more than a double holds.
  return quick <= Number.MAX_SAFE_INTEGER && head > 0 ? String(quick) : String(wideNumber(bytes))
}

const wideNumber = (bytes: Uint8Array): bigint =>
  BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))

/** Microseconds since 1970 in UTC. Not "adjusted to UTC": readers show them as they are, in no zone of theirs. */
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

/** After every text that a column may have. */
const lastText = String.fromCodePoint(0x10ffff).repeat(4)

const textForm: ColumnForm = {
  element: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  statistics: true,
  encode: (text) => text,
  decode: (value) => decoder.decode(bytesOf(value)),
  duckType: 'varchar',
  duckExtremes: { least: '', greatest: lastText },
}

/** The text as PostgreSQL has it: parsed and written anew, 1.10 would become 1.1. */
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

/** A column of a file that does not say what it was in PostgreSQL. Throws Misconfigured for one that no file of ours has. */
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
