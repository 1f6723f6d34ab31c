import { type AccessFlaws, readAccessFlaws } from '../../store/access-rights.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, error, type Finding } from './check.ts'
import { shortened } from './words.ts'

/** That everybody sees what they may and nothing else. */
export const rights: Check = {
  name: 'rights',
  run: async ({ pool }) => accessFindings(await readAccessFlaws(databaseOf(pool))),
}

type Told = readonly [names: readonly string[], sentence: (names: string) => string, remedy: string]

const accessFindings = (flaws: AccessFlaws): Finding[] =>
  told(flaws).flatMap(([names, sentence, remedy]) => {
    const [first = ''] = names
    return names.length === 0 ? [] : [error(sentence(shortened(names)), remedy.replaceAll('NAME', first))]
  })

const told = (flaws: AccessFlaws): readonly Told[] => [
  [
    flaws.unforced,
    (names) => `Row-level security does not bind everybody on ${names}: one user may see another's rows.`,
    'alter table NAME enable row level security, force row level security',
  ],
  [
    flaws.unguarded,
    (names) => `Rows of users in ${names} are seen by all: there is no policy.`,
    'Write a migration with a policy for NAME, as 0006_row_level_security has them.',
  ],
  [
    flaws.grantedPartitions,
    (names) => `There are rights on partitions, past the rules of their table: ${names}.`,
    'Revoke them (revoke all on PARTITION from ROLE) and grant them on the table.',
  ],
  [flaws.openTables, (names) => `Everybody who logs in may use ${names}.`, 'revoke all on NAME from public'],
  [flaws.unboundRoles, (names) => `No policy binds ${names}.`, 'alter role NAME nosuperuser nobypassrls'],
  [
    flaws.missingRoles,
    (names) => `The server has no role ${names}.`,
    'Bring over the roles of the server it came from: pg_dumpall --roles-only',
  ],
  [
    flaws.shutOutRoles,
    (names) => `The roles ${names} cannot reach any table.`,
    'grant usage on schema public to NAME',
  ],
]
