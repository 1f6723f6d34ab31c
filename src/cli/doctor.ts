import { Command } from 'commander'
import { Fault, InvalidInput } from '../fault.ts'
import { openServer } from '../runtime/database.ts'
import { counted } from '../status/words.ts'
import { openPool } from '../store/pool.ts'
import { type Check, type Deps, error, type Finding } from './doctor/check.ts'
import { checks, type Depth, foundations } from './doctor/registry.ts'
import { foreseenMessage } from './series/foreseen.ts'
import { type Session, withSession } from './session.ts'
import { answer } from './terminal/output.ts'

type DoctorOptions = Depth & Readonly<{ json?: boolean }>

export const doctorCommand = (): Command =>
  new Command('doctor')
    .option('--deep', 'compare coverage with every row; read every archive back')
    .option('--repair', 'correct the coverage, so that lost candles are fetched again')
    .option('--json', 'print JSON')
    .action(async (options: DoctorOptions) => {
      if (options.repair && !options.deep)
        throw new InvalidInput('--repair needs --deep. Run: beacon doctor --deep --repair')
      const examined = await withSession((session) => examine(session, options))
      const errors = examined.flatMap(({ findings }) => findings.filter(isError))
      answer(options.json, { ok: errors.length === 0, checks: examined }, () => textOf(examined))
      if (errors.length > 0)
        throw new Unwell(`${counted(errors.length, 'finding')} to see to: each names its remedy`)
    })

/** Problems were found and printed. */
class Unwell extends Fault {
  readonly code = 'UNWELL'
  readonly remedy = 'give-up'
}

type Examined = Readonly<{ name: string; findings: readonly Finding[] }>

const isError = ({ severity }: Finding): boolean => severity === 'error'

async function examine(session: Session, depth: Depth): Promise<Examined[]> {
  const deps = await open(session)
  if ('severity' in deps) return [{ name: 'database', findings: [deps] }]
  const examined: Examined[] = []
  for (const check of foundations) examined.push(await carryOut(check, deps))
  // Other checks read the tables.
  if (examined.some(({ findings }) => findings.some(isError))) return examined
  for (const check of checks(depth)) examined.push(await carryOut(check, deps))
  return examined
}

/** Without migrating. */
async function open(session: Session): Promise<Deps | Finding> {
  const { settings, releases, clock, signal, log } = session
  try {
    const { url } = await openServer(session, 0)
    const pool = openPool(
      url,
      settings.database,
      ({ message }) => log.warn('database.connection-lost', { reason: message }),
      'beacon doctor',
    )
    releases.push(() => pool.close())
    return { settings, pool, url, now: clock.now(), clock, log, releases, signal }
  } catch (failure) {
    return findingOf(failure, 'Start it, or set DATABASE_URL to where it is.')
  }
}

/** Reported as a finding; other checks continue. */
async function carryOut({ name, run }: Check, deps: Deps): Promise<Examined> {
  try {
    return { name, findings: await run(deps) }
  } catch (failure) {
    if (deps.signal.aborted) throw failure
    return { name, findings: [findingOf(failure, 'Repair this first, then run: beacon doctor')] }
  }
}

/** Unexpected errors are thrown. */
function findingOf(failure: unknown, remedy: string): Finding {
  const message = failure instanceof Fault ? failure.message : foreseenMessage(failure)
  if (message === undefined) throw failure
  return error(messageOf(message), remedy)
}

const messageOf = (message: string): string =>
  `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.?!]$/.test(message) ? '' : '.'}`

function textOf(examined: readonly Examined[]): string {
  const width = Math.max(...examined.map(({ name }) => name.length))
  const lines = examined.flatMap(({ name, findings }) =>
    findings.length === 0
      ? [`${name.padEnd(width)}  fine`]
      : findings.flatMap(({ severity, message, remedy }) => [
          `${name.padEnd(width)}  ${severity}: ${message}`,
          `${' '.repeat(width)}  → ${remedy}`,
        ]),
  )
  return lines.join('\n')
}
