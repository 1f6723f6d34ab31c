import { Command, Option } from 'commander'
import { Fault } from '../fault.ts'
import {
  type Certificate,
  type CertificateRequest,
  certify,
  closedPart,
} from '../ingest/verify/certificate.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { counted } from '../status/words.ts'
import { canonicalCopy } from '../store/candles/candle-digest.ts'
import {
  allCoins,
  asJson,
  namedCoins,
  refuseNoCoins,
  requiredFromDate,
  requiredTimeframes,
  toDate,
} from './arguments/options.ts'
import { readRange } from './arguments.ts'
import { inspectCommand } from './quarantine/inspect.ts'
import { readSeveralSeries } from './series/one-series.ts'
import { seriesCommand } from './series/series-command.ts'
import { type DatabaseSession, withDatabase } from './session.ts'
import { answer, countText, print } from './terminal/output.ts'

type CertificateOptions = Readonly<{
  timeframe: string
  from: string
  to?: string
  all?: boolean
  sql?: boolean
  json?: boolean
}>

export const certificateCommand = (): Command =>
  new Command('certificate')
    .addArgument(namedCoins())
    .addOption(allCoins())
    .addOption(requiredTimeframes())
    .addOption(requiredFromDate())
    .addOption(toDate())
    .addOption(new Option('--sql', 'print the statement that the SHA-256 is taken of').conflicts('json'))
    .addOption(asJson())
    .action((names: string[], options: CertificateOptions) => {
      refuseNoCoins(names, options.all)
      return withDatabase((session) => showCertificates(session, names, options))
    })

async function showCertificates(
  session: DatabaseSession,
  names: readonly string[],
  { timeframe, from, to = 'now', sql, json }: CertificateOptions,
): Promise<void> {
  const { settings, clock, database } = session
  const now = clock.now()
  const range = readRange(from, to, now)
  const requests = (await readSeveralSeries(session, names, timeframe)).map((one) => ({ ...one, range }))
  if (sql) {
    for (const request of requests)
      print(`${canonicalCopy(seriesOf(request), closedPart(settings, request, now))};`)
    return
  }
  const certificates: Certificate[] = []
  for (const request of requests) certificates.push(await certify(database.pool, settings, request, now))
  answer(json, { certificates: certificates.map(certificateJson) }, () =>
    certificates.map(certificateText).join('\n\n'),
  )
  const unbalanced = certificates.find(({ balances }) => !balances)
  if (unbalanced) throw new Unbalanced(unbalanced)
}

const seriesOf = ({ coin, timeframe }: CertificateRequest) => ({ coinId: coin.id, timeframe })

/** Coverage and table disagree. */
class Unbalanced extends Fault {
  readonly code = 'UNBALANCED'
  readonly remedy = 'give-up'

  constructor({ candles, expected, absent, refused, missing }: Certificate) {
    const lacking = refused + missing + sumOf(absent)
    super(
      `the table has ${counted(candles, 'candle')}, and the coverage records ${countText(expected - lacking)}. Find the difference with: beacon doctor --deep`,
    )
  }
}

const sumOf = (absent: Certificate['absent']): number =>
  Object.values(absent).reduce((sum, count) => sum + count, 0)

const rangeJson = ({ from, to }: Range) => ({ from: toIso(from), to: toIso(to) })

function certificateJson({ range, candles, sources, runs, runCount, ...certificate }: Certificate) {
  const { coinId, timeframe, sha256, expected, ...rest } = certificate
  return {
    coinId,
    timeframe,
    ...rangeJson(range),
    expected,
    stored: candles,
    ...rest,
    sha256,
    copy: canonicalCopy({ coinId, timeframe }, range),
    sources: sources.map(({ ranges, ...source }) => ({ ...source, ranges: ranges.map(rangeJson) })),
    runs: {
      count: runCount,
      first: runs.map(({ startedAt, finishedAt, ...run }) => ({
        ...run,
        startedAt: toIso(startedAt),
        finishedAt: finishedAt === undefined ? null : toIso(finishedAt),
      })),
    },
  }
}

/** Limit of ranges and runs shown. */
const shown = 5

function certificateText(certificate: Certificate): string {
  const { coinId, timeframe, range, sha256, sources, runs, runCount } = certificate
  return [
    `${coinId} ${timeframe}, ${toMinuteText(range.from)} to ${toMinuteText(range.to)}`,
    '',
    ...countLines(certificate),
    '',
    `sha256    ${sha256}`,
    '',
    ...sources.flatMap(({ source, candles, rangeCount, ranges }) => [
      `from ${source}: ${counted(candles, 'candle')} in ${counted(rangeCount, 'range')}`,
      ...ranges.slice(0, shown).map(({ from, to }) => `  ${toMinuteText(from)} to ${toMinuteText(to)}`),
      ...moreThan(rangeCount),
    ]),
    `by ${counted(runCount, 'run')}${runCount === 0 ? ' that are on record' : ''}`,
    ...runs
      .slice(0, shown)
      .map(
        ({ id, job, source, status, startedAt, file }) =>
          `  ${toMinuteText(startedAt)}  ${job} of ${source}${file ? ` from ${file.name} (SHA-256 ${file.sha256})` : ''}, ${status}  ${id}`,
      ),
    ...moreThan(runCount),
  ].join('\n')
}

const moreThan = (count: number): string[] =>
  count > shown ? [`  and ${countText(count - shown)} more, see --json`] : []

const gapsLine = ({ coinId, timeframe, range }: Certificate): string =>
  seriesCommand('gaps', { coinId, timeframe, ...range })

const rejectedLine = ({ coinId, timeframe, range, refused }: Certificate): string =>
  inspectCommand({ coinId, timeframe, ...range, candles: refused })

function countLines(certificate: Certificate): string[] {
  const { expected, candles, absent, refused, missing, provisional, revised, revisions } = certificate
  const causes = Object.entries(absent).map(([cause, count]) => `${cause} ${countText(count)}`)
  const lines: (readonly [string, number, string])[] = [
    ['expected', expected, ''],
    ['stored', candles, ''],
    ['unavailable', sumOf(absent), causes.join(', ')],
    ['rejected', refused, refused > 0 ? `see: ${rejectedLine(certificate)}` : ''],
    ['missing', missing, missing > 0 ? `see: ${gapsLine(certificate)}` : ''],
    ['provisional', provisional, 'of those stored, not yet seen unchanged long enough after their close'],
    [
      'revised',
      revised,
      `of those stored, changed by their source${revisions > revised ? `, ${countText(revisions)} times` : ''}`,
    ],
  ]
  const width = Math.max(...lines.map(([, count]) => countText(count).length))
  return lines.map(([name, count, words]) =>
    `${name.padEnd(12)}${countText(count).padStart(width)}  ${words}`.trimEnd(),
  )
}
