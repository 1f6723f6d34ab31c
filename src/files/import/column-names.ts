import { InvalidInput } from '../../fault.ts'

/** What a row of candles is read from. */
export const candleFields = ['time', 'open', 'high', 'low', 'close', 'volume'] as const
type CandleField = (typeof candleFields)[number]

/** Where each field is in a row. */
export type Places = Readonly<Record<CandleField, number>>

/** Names of columns by field, the better first, in lower case. */
const names: Readonly<Record<CandleField, readonly string[]>> = {
  time: [
    'timestamp',
    'timestamp_ms',
    'open_time',
    'open time',
    'opentime',
    'unix',
    'unix timestamp',
    'time',
    'date',
    'datetime',
  ],
  open: ['open'],
  high: ['high'],
  low: ['low'],
  close: ['close'],
  volume: ['volume', 'base_volume'],
}

/** Columns that the user names: `time=Unix,volume=Volume BTC`, or by place from 1 on. */
export type ColumnMapping = Readonly<Partial<Record<CandleField, string>>>

/** Reads `--columns`. Throws InvalidInput. */
export function readMapping(text: string): ColumnMapping {
  const mapping: Partial<Record<CandleField, string>> = {}
  for (const part of text.split(',')) {
    const [field = '', name = ''] = part.split(/=(.*)/s).map((one) => one.trim())
    const known = candleFields.find((one) => one === field)
    if (known === undefined || name === '')
      throw new InvalidInput(
        `--columns ${text} is not a list of FIELD=COLUMN with the fields ${candleFields.join(', ')}: write for example time=Unix,volume="Volume BTC"`,
      )
    mapping[known] = name
  }
  return mapping
}

/**
 * Where the fields are by the names of the columns. `symbol` is the coin's: `Volume BTC` is the volume of BTC. Undefined
 * where one of them has no column.
 */
export function placesByName(
  header: readonly string[],
  mapping: ColumnMapping,
  symbol: string | undefined,
): Places | undefined {
  const columns = header.map((name) => name.trim().toLowerCase())
  const base = symbol?.toLowerCase()
  const candidates = (field: CandleField): readonly string[] => {
    const own = mapping[field]
    if (own !== undefined) return [own.toLowerCase()]
    const ofBase = base === undefined || field !== 'volume' ? [] : [`volume ${base}`, `volume_${base}`]
    return [...ofBase, ...names[field]]
  }
  return placesOf((field) => {
    const name = candidates(field).find((one) => columns.includes(one))
    return name === undefined ? undefined : columns.indexOf(name)
  })
}

/** Where the fields are by their places, counted from 1; undefined where one of them is given by name, or not at all. */
export const placesByNumber = (mapping: ColumnMapping): Places | undefined =>
  placesOf((field) => {
    const text = mapping[field] ?? ''
    return /^[1-9]\d?$/.test(text) ? Number(text) - 1 : undefined
  })

function placesOf(placeOf: (field: CandleField) => number | undefined): Places | undefined {
  const [time, open, high, low, close, volume] = candleFields.map(placeOf)
  if (time === undefined || open === undefined || high === undefined || low === undefined) return undefined
  return close === undefined || volume === undefined ? undefined : { time, open, high, low, close, volume }
}
