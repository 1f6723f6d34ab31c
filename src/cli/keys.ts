import { Command } from 'commander'
import { countToRotate, type LackedKey, type Rotation, rotateKeys } from '../accounts/rotation.ts'
import { type KeyRing, openKeyRing } from '../encryption/key-ring.ts'
import { Aborted, Fault, InvalidInput } from '../fault.ts'
import { openDatabase } from '../runtime/database.ts'
import { isEncryptionKeyId, newEncryptionKeyEntry, newEncryptionKeyId } from '../settings/encryption-keys.ts'
import { counted } from '../status/words.ts'
import { withSession } from './session.ts'
import { withCountingBar } from './terminal/counting-bar.ts'
import { answer, countText, say } from './terminal/output.ts'
import { table } from './terminal/table.ts'

export const keysCommand = (): Command =>
  new Command('keys').addCommand(generateCommand()).addCommand(rotateCommand())

type GenerateOptions = Readonly<{ id?: string; json?: boolean }>

const generateCommand = (): Command =>
  new Command('generate')
    .description('Generate a key and print it; it is stored nowhere.')
    .option('--id <id>', 'name the key: 1 to 16 of a-z, 0-9, "-"; default: random')
    .option('--json', 'print JSON')
    .action(({ id = newEncryptionKeyId(), json }: GenerateOptions) => {
      if (!isEncryptionKeyId(id)) {
        throw new InvalidInput(`--id is not 1 to 16 of a-z, 0-9 and "-": write one such as 2024-05`)
      }
      const entry = newEncryptionKeyEntry(id)
      answer(json, { id, entry }, () => entry)
      say(`The first key: set BEACON_ENCRYPTION_KEYS to it.
A new one: put it before the others, separated by a comma, start every process with it, and run: beacon keys rotate
Keep a copy apart from the database and its backups: what is encrypted with it can be read with nothing else.`)
    })

type RotateOptions = Readonly<{ dryRun?: boolean; json?: boolean }>

const rotateCommand = (): Command =>
  new Command('rotate')
    .description('Encrypt everything with the first key; run again to resume.')
    .option('--dry-run', 'read every value and show what would be changed')
    .option('--json', 'print JSON')
    .action((options: RotateOptions) =>
      withSession(async (session) => {
        const ring = openKeyRing(session.settings.environment.encryptionKeys)
        const { pool } = await openDatabase(session, 'when-new')
        const { dryRun = false } = options
        const rotation = await withCountingBar(await countToRotate(pool, ring), 'values', (onProgress) =>
          rotateKeys(pool, ring, { dryRun, signal: session.signal, onProgress }),
        )
        report(ring, rotation, session.signal.aborted, options)
      }),
    )

function report(
  ring: KeyRing,
  rotation: Rotation,
  stopped: boolean,
  { dryRun = false, json }: RotateOptions,
): void {
  const { first, all } = ring
  const { columns, problems, lackedKeys } = rotation
  const sumOf = (count: 'rotated' | 'left' | 'remaining') =>
    columns.reduce((sum, column) => sum + column[count], 0)
  const [rotated, left, remaining] = [sumOf('rotated'), sumOf('left'), sumOf('remaining')]
  for (const lacked of lackedKeys) say(lackedText(lacked))
  for (const { why } of problems) say(why)
  const others = all.slice(1).map(({ id }) => id)
  const removable = !dryRun && !stopped && left + remaining === 0 ? others : []
  answer(json, { firstKey: first.id, dryRun, columns, problems, lackedKeys, removableKeys: removable }, () =>
    [
      columnTable(rotation, dryRun),
      '',
      `${counted(rotated, 'value')} ${dryRun ? 'would be ' : ''}encrypted anew, with the key "${first.id}".`,
      ...(removable.length > 0 ? [removalText(first.id, removable)] : []),
    ].join('\n'),
  )
  if (stopped) {
    throw new Aborted('stopped before the end: run beacon keys rotate again, and it goes on where it stopped')
  }
  if (left > 0) {
    throw new NotAllRotated(
      `${counted(left, 'value')} stayed as ${left === 1 ? 'it was' : 'they were'}: do what is said of each, and run beacon keys rotate again before you remove a key`,
    )
  }
  if (remaining > 0) {
    throw new NotAllRotated(
      `${counted(remaining, 'value')} came in under another key meanwhile: start every process with "${first.id}" as its first key, and run beacon keys rotate again`,
    )
  }
}

const lackedText = ({ keyId, values }: LackedKey): string =>
  `${counted(values, 'value')} ${values === 1 ? 'was' : 'were'} encrypted with the key "${keyId}": put that key back into BEACON_ENCRYPTION_KEYS, behind the first`

class NotAllRotated extends Fault {
  readonly code = 'NOT_ALL_ROTATED'
  readonly remedy = 'give-up'
}

function removalText(first: string, removable: readonly string[]): string {
  const keys = removable.map((id) => `"${id}"`).join(', ')
  const them = removable.length === 1 ? 'it' : 'them'
  return `Everything is under "${first}" now. Once that is the first key of every process, ${keys} may be removed from BEACON_ENCRYPTION_KEYS; keep ${them} for as long as there are backups from before.`
}

const columnTable = ({ columns }: Rotation, dryRun: boolean): string =>
  table(columns, [
    { title: 'column', of: ({ table, column }) => `${table}.${column}` },
    {
      title: dryRun ? 'to encrypt anew' : 'encrypted anew',
      of: ({ rotated }) => countText(rotated),
      align: 'right',
    },
    { title: 'left', of: ({ left }) => countText(left), align: 'right' },
  ])
