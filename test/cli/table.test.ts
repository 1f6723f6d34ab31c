import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { columnsOf } from '../../src/cli/terminal/columns.ts'
import { type Column, table } from '../../src/cli/terminal/table.ts'
import { wrap } from '../../src/cli/terminal/wrap.ts'

type Row = readonly string[]

const spaced = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()
/** The text of a table, whatever lines and columns it is broken into. */
const joined = (text: string): string => text.replaceAll(/\s+/g, '')

const digits = (length: number) => fc.stringMatching(new RegExp(`^[1-9][0-9]{0,${length}}$`))
const numberText = fc
  .tuple(digits(14), fc.option(digits(8)))
  .map(([whole, part]) => `${Number(whole).toLocaleString('en-US')}${part === null ? '' : `.${part}`}`)
const instantText = fc
  .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().replace('T', ' ').slice(0, 16))
const word = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z]{1,12}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z]{20,70}$/) },
  { weight: 1, arbitrary: fc.constantFrom('币安人生', 'Café', '🚀', 'https://data.example.org/a/b?c=d') },
  { weight: 2, arbitrary: numberText },
)
const prose = fc.array(word, { maxLength: 30 }).map((words) => words.join(' '))
const coinId = fc
  .array(fc.stringMatching(/^[a-z]{1,10}$/), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join('-'))

const kinds = { number: numberText, instant: instantText, prose, coinId } as const
type Kind = keyof typeof kinds

type Drawn = Readonly<{ columns: readonly Column<Row>[]; rows: readonly Row[]; width: number }>

const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    columns: fc.array(
      fc.record({
        kind: fc.constantFrom<Kind>('number', 'instant', 'prose', 'coinId'),
        title: fc.constantFrom(
          'coin',
          'missing candles',
          'from',
          'why',
          'rows (estimate)',
          'open time (UTC)',
        ),
        leaveOut: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    width: fc.integer({ min: 60, max: 200 }),
    count: fc.integer({ min: 1, max: 6 }),
  })
  .chain(({ columns, width, count }) =>
    fc
      .array(fc.tuple(...columns.map(({ kind }) => kinds[kind])), { minLength: count, maxLength: count })
      .map((rows) => ({
        rows,
        width,
        columns: columns.map(
          ({ kind, title, leaveOut }, index): Column<Row> => ({
            // Its number tells it from the others.
            title: `${title} ${String.fromCharCode(65 + index)}`,
            of: (row) => row[index] ?? '',
            ...(kind === 'number' ? { align: 'right' as const } : {}),
            ...(kind === 'prose' ? { wraps: true as const } : {}),
            ...(leaveOut === undefined ? {} : { leaveOut }),
          }),
        ),
      })),
  )

const linesOf = ({ rows, columns, width }: Drawn): string[] => table(rows, columns, { width }).split('\n')
const isLeftOut = (lines: readonly string[], { title }: Column<Row>): boolean =>
  new RegExp(`Not shown in .*\\b${title.replaceAll(/[()]/g, '\\$&')}[,.]`).test(spaced(lines.join(' ')))

/** As many of each as there are in the cells of these columns. */
const numbersIn = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.match(/\d[\d,.]*\d|\d/g) ?? [])

describe('a table', () => {
  test('has no line that is longer than its width', () => {
    fc.assert(
      fc.property(drawn, (given) => {
        for (const line of linesOf(given)) expect(columnsOf(line)).toBeLessThanOrEqual(given.width)
      }),
      { numRuns: 400 },
    )
  })

  test('breaks no number, no date and no quantity', () => {
    fc.assert(
      fc.property(drawn, (given) => {
        const lines = linesOf(given)
        const text = lines.join('\n')
        for (const column of given.columns) {
          if (isLeftOut(lines, column)) continue
          for (const number of numbersIn(given.rows.map(column.of))) expect(text).toContain(number)
          if (given.rows.every((row) => /^\d{4}-\d\d-\d\d /.test(column.of(row))))
            for (const row of given.rows) expect(text).toContain(column.of(row))
        }
      }),
      { numRuns: 400 },
    )
  })

  test('loses nothing: what is left out is optional, and named', () => {
    fc.assert(
      fc.property(drawn, (given) => {
        const lines = linesOf(given)
        const text = joined(lines.join('\n'))
        for (const column of given.columns) {
          if (isLeftOut(lines, column)) {
            expect(column.leaveOut).toBeDefined()
            continue
          }
          // Lines of neighbouring columns lie between the parts of a text, so each of its characters is looked for.
          const letters = new Map<string, number>()
          for (const row of given.rows)
            for (const letter of joined(column.of(row))) letters.set(letter, (letters.get(letter) ?? 0) + 1)
          for (const [letter, count] of letters)
            expect(text.split(letter).length - 1).toBeGreaterThanOrEqual(count)
        }
      }),
      { numRuns: 400 },
    )
  })

  const rows = [
    {
      coin: 'bitcoin',
      from: '2024-03-01 00:00',
      candles: '1,234,567',
      size: '12.3 MB',
      why: 'not fetched yet, since the daemon was down',
    },
  ]
  const columns: Column<(typeof rows)[number]>[] = [
    { title: 'coin', of: ({ coin }) => coin },
    { title: 'from', of: ({ from }) => from },
    { title: 'missing candles', of: ({ candles }) => candles, align: 'right' },
    { title: 'size', of: ({ size }) => size, align: 'right', leaveOut: 1 },
    { title: 'why', of: ({ why }) => why, wraps: true },
  ]
  const at = (width: number) => table(rows, columns, { width }).split('\n')

  test('is one line a row where it fits', () => {
    expect(at(120)).toEqual([
      'coin     from              missing candles     size  why',
      'bitcoin  2024-03-01 00:00        1,234,567  12.3 MB  not fetched yet, since the daemon was down',
    ])
  })

  test('wraps titles and prose by the word, and then leaves columns out', () => {
    expect(at(80)).toEqual([
      'coin     from              missing candles     size  why',
      'bitcoin  2024-03-01 00:00        1,234,567  12.3 MB  not fetched yet, since the',
      '                                                     daemon was down',
    ])
    expect(at(64)).toEqual([
      'coin     from                missing  why',
      '                             candles',
      'bitcoin  2024-03-01 00:00  1,234,567  not fetched yet, since the',
      '                                      daemon was down',
      'Not shown in 64 columns: size. Widen the terminal or use --json.',
    ])
  })

  test('is a record a row where its columns do not fit beside each other', () => {
    expect(at(40)).toEqual([
      'coin             bitcoin',
      'from             2024-03-01 00:00',
      'missing candles  1,234,567',
      'size             12.3 MB',
      'why              not fetched yet, since',
      '                 the daemon was down',
    ])
  })
})

test('a text is wrapped between words, and a long word after a separator', () => {
  expect(wrap('s3://bucket/prefix/ohlcv_data_1h_y2024m05.parquet', 24)).toEqual([
    's3://bucket/prefix/',
    'ohlcv_data_1h_y2024m05.',
    'parquet',
  ])
  expect(wrap('took 12.3 MB in 5 min at 2024-03-01 12:00 UTC', 16)).toEqual([
    'took 12.3 MB in',
    '5 min at',
    '2024-03-01 12:00 UTC',
  ])
})
