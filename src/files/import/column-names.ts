import { InvalidInput } from '../../fault.ts'

export const candleFields = ['time', 'open', 'high', 'low', 'close', 'volume'] as const
type CandleField = (typeof candleFields)[number]

export type Places = Readonly<Record<CandleField, number>>

/** Lower case, preferred first. */
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

/** `time=Unix,volume=Volume BTC`, or numbers from 1. */
export type ColumnMapping = Readonly<Partial<Record<CandleField, string>>>

/** Parses `--columns`. Throws InvalidInput. */
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

/** By column names; `symbol` resolves `Volume BTC`. Undefined if a field is missing. */
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

/** By numbers from 1; undefined unless all are given. */
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
