import { type AccessFlaws, readAccessFlaws } from '../../store/connection/access-rights.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, error, type Finding } from './check.ts'
import { shortened } from './words.ts'

/** Roles see exactly what they may. */
export const rights: Check = {
  name: 'rights',
  run: async ({ pool }) => accessFindings(await readAccessFlaws(databaseOf(pool))),
}

type Reported = readonly [
  names: readonly string[],
  message: (names: string) => string,
  /** A statement, if there is one. */
  remedy: (name: string) => string,
]

const accessFindings = (flaws: AccessFlaws): Finding[] =>
  reported(flaws).flatMap(([names, message, remedy]) =>
    names.length === 0 ? [] : [error(message(shortened(names)), [...new Set(names.map(remedy))].join('; '))],
  )

const reported = (flaws: AccessFlaws): readonly Reported[] => [
  [
    flaws.unforced,
    (names) => `Row-level security does not bind everybody on ${names}: one user may see another's rows.`,
    (name) => `alter table ${name} enable row level security, force row level security`,
  ],
  [
    flaws.unguarded,
    (names) => `Rows of users in ${names} are seen by all: there is no policy.`,
    (name) => `Write a migration with a policy for ${name}, as 0006_row_level_security has them.`,
  ],
  [
    flaws.grantedPartitions,
    (names) => `There are rights on partitions, past the rules of their table: ${names}.`,
    (name) => {
      const [role, partition] = name.split(' on ')
      return `revoke all on ${partition} from ${role === 'everybody' ? 'public' : role}`
    },
  ],
  [
    flaws.openTables,
    (names) => `Everybody who logs in may use ${names}.`,
    (name) => `revoke all on ${name} from public`,
  ],
  [
    flaws.unboundRoles,
    (names) => `No policy binds ${names}.`,
    (name) => `alter role ${name} nosuperuser nobypassrls`,
  ],
  [
    flaws.missingRoles,
    (names) => `The server has no role ${names}.`,
    () => 'Bring over the roles of the server it came from: pg_dumpall --roles-only',
  ],
  [
    flaws.shutOutRoles,
    (names) => `The roles ${names} cannot reach any table.`,
    (name) => `grant usage on schema public to ${name}`,
  ],
]
