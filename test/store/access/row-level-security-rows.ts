import { randomUUID } from 'node:crypto'
import { aRow, type Row } from '../migrations/valid-rows.ts'

/** Somebody with the ids that the account and the strategy of theirs have. */
export type Person = Readonly<{ id: string; accountId: string; strategyId: string }>

export const aPerson = (): Person => ({
  id: randomUUID(),
  accountId: randomUUID(),
  strategyId: randomUUID(),
})

type TableOfUsers = Readonly<{
  /** What ties a row to its person. */
  ties(to: Person): Row
  /** What else must not be the same in two rows. */
  own?(of: Person): Row
  /** A change that nobody minds. */
  change: Row
}>

const user = ({ id }: Person): Row => ({ user_id: id })
const account = ({ accountId }: Person): Row => ({ account_id: accountId })
const strategy = ({ strategyId }: Person): Row => ({ strategy_id: strategyId })

/** Every table that users own and may write, in an order in which each may refer to those before it. */
export const tablesOfUsers: Readonly<Record<string, TableOfUsers>> = {
  users: {
    ties: ({ id }) => ({ id }),
    own: ({ id }) => ({ email: `the address of ${id}` }),
    change: { last_login: '2024-05-17 12:00:00' },
  },
  profiles: { ties: ({ id }) => ({ id }), change: { preferences: null } },
  trading_accounts: { ties: user, change: { name: 'changed' } },
  trading_strategies: { ties: user, change: { name: 'changed' } },
  positions: { ties: account, change: { stop_loss: null } },
  trades: { ties: account, own: strategy, change: { profit_loss: null } },
  backtest_results: { ties: user, own: strategy, change: { sharpe_ratio: null } },
  alerts: { ties: user, change: { note: 'changed' } },
  notifications: { ties: user, change: { read_at: null } },
  api_connections: { ties: user, change: { name: 'changed' } },
}

/** What users may read their own of, and nobody may write. */
export const logsOfUsers: readonly string[] = ['audit_logs']

/** A new row that belongs to the person. */
export function aRowOf(table: string, person: Person): Row {
  const { ties, own } = specOf(table)
  return aRow(table, { id: randomUUID(), ...own?.(person), ...ties(person) })
}

/** The row of the person that others of theirs refer to, where there is one; otherwise a new row. */
export function firstRowOf(table: string, person: Person): Row {
  const { accountId, strategyId } = person
  const ids: Readonly<Record<string, string>> = {
    trading_accounts: accountId,
    trading_strategies: strategyId,
  }
  const id = ids[table]
  return { ...aRowOf(table, person), ...(id === undefined ? {} : { id }) }
}

export function specOf(table: string): TableOfUsers {
  const spec = tablesOfUsers[table]
  if (!spec)
    throw new Error(`the sentences know nothing of the table ${table}: give it a place in tablesOfUsers`)
  return spec
}
