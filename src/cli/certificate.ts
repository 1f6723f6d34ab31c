import { Command, Option } from 'commander'
import { Fault } from '../fault.ts'
import { type Certificate, type CertificateWish, certify, closedPart } from '../ingest/certificate.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { counted } from '../status/words.ts'
import { canonicalCopy } from '../store/candle-digest.ts'
import { readRange } from './arguments.ts'
import { readSeries } from './one-series.ts'
import { answer, countText, print } from './output.ts'
import { type DatabaseSession, withDatabase } from './session.ts'

type CertificateOptions = Readonly<{ from: string; to: string; sql?: boolean; json?: boolean }>

export const certificateCommand = (): Command =>
  new Command('certificate')
    .argument('<coin>', 'coin id')
    .argument('<timeframe>', 'such as 1m or 1h')
    .requiredOption('--from <date>', 'first instant, UTC: 2024-03-01, 2024-03-01T12:00Z or -30d')
    .option('--to <date>', 'end, not included', 'now')
    .addOption(
      new Option(
        '--sql',
        'only print the statement whose output the SHA-256 is of, for psql and sha256sum',
      ).conflicts('json'),
    )
    .option('--json', 'answer as JSON')
    .action((coinId: string, timeframe: string, options: CertificateOptions) =>
      withDatabase((session) => showCertificate(session, coinId, timeframe, options)),
    )

async function showCertificate(
  session: DatabaseSession,
  coinId: string,
  name: string,
  { from, to, sql, json }: CertificateOptions,
): Promise<void> {
  const { settings, clock, database } = session
  const now = clock.now()
  const wish = { ...(await readSeries(session, coinId, name)), range: readRange(from, to, now) }
  if (sql) return print(`${canonicalCopy(seriesOf(wish), closedPart(settings, wish, now))};`)
  const certificate = await certify(database.pool, settings, wish, now)
  answer(json, certificateJson(certificate), () => certificateText(certificate))
  if (!certificate.balances) throw new Unbalanced(certificate)
}

const seriesOf = ({ coin, timeframe }: CertificateWish) => ({ coinId: coin.id, timeframe })

/** The ledger and the table disagree. */
class Unbalanced extends Fault {
  readonly code = 'UNBALANCED'
  readonly remedy = 'give-up'

  constructor({ candles, expected, absent, refused, owed }: Certificate) {
    const missing = refused + owed + sumOf(absent)
    super(
      `the table has ${counted(candles, 'candle')} where the coverage says ${countText(expected - missing)}: find out where with beacon doctor --deep`,
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

/** So many stretches of a source, and so many runs, are shown to people. */
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
    ...sources.flatMap(({ source, candles, stretches, ranges }) => [
      `from ${source}: ${counted(candles, 'candle')} in ${stretches === 1 ? '1 stretch' : `${countText(stretches)} stretches`}`,
      ...ranges.slice(0, shown).map(({ from, to }) => `  ${toMinuteText(from)} to ${toMinuteText(to)}`),
      ...moreThan(stretches),
    ]),
    `by ${counted(runCount, 'run')}${runCount === 0 ? ' that are on record' : ''}`,
    ...runs
      .slice(0, shown)
      .map(
        ({ id, job, source, status, startedAt }) =>
          `  ${toMinuteText(startedAt)}  ${job} of ${source}, ${status}  ${id}`,
      ),
    ...moreThan(runCount),
  ].join('\n')
}

const moreThan = (count: number): string[] =>
  count > shown ? [`  and ${countText(count - shown)} more, see --json`] : []

function countLines(certificate: Certificate): string[] {
  const { expected, candles, absent, refused, owed, provisional, revised, revisions } = certificate
  const causes = Object.entries(absent).map(([cause, count]) => `${cause} ${countText(count)}`)
  const lines: (readonly [string, number, string])[] = [
    ['expected', expected, ''],
    ['stored', candles, ''],
    ['absent', sumOf(absent), causes.join(', ')],
    ['refused', refused, refused > 0 ? 'see: beacon quarantine list' : ''],
    ['owed', owed, owed > 0 ? `see: beacon gaps ${certificate.coinId}` : ''],
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
