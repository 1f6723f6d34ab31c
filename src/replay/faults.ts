import { createHash } from 'node:crypto'
import type { SourceId } from '../settings/source-ids.ts'
import type { InjectedFault } from './faults/injected-fault.ts'

/** Which matching requests fail, counted from 1 since the plan was set. */
export type When =
  | 'always'
  | Readonly<{ nth: number }>
  | Readonly<{ first: number }>
  /** Every n-th, starting at `from`. */
  | Readonly<{ every: number; from?: number }>
  /** Deterministic per seed. */
  | Readonly<{ chance: number; seed: number }>

/** Absent fields match all. */
export type FaultRule = Readonly<{
  source?: SourceId
  path?: string
  query?: Readonly<Record<string, string>>
  when: When
  fault: InjectedFault
}>

/** The first rule that applies wins; all matching rules count. */
export type FaultPlan = readonly FaultRule[]

type Asked = Readonly<{ source: SourceId; path: string; query: URLSearchParams }>

/** Picks faults per request. */
export class FaultPicker {
  readonly #rules: { rule: FaultRule; matched: number }[]

  constructor(plan: FaultPlan) {
    this.#rules = plan.map((rule) => ({ rule, matched: 0 }))
  }

  pick(asked: Asked): InjectedFault | undefined {
    const matching = this.#rules.filter(({ rule }) => matches(rule, asked))
    for (const counted of matching) counted.matched += 1
    return matching.find(({ rule, matched }) => strikes(rule.when, matched))?.rule.fault
  }
}

const matches = (rule: FaultRule, { source, path, query }: Asked): boolean =>
  (rule.source ?? source) === source &&
  (rule.path ?? path) === path &&
  Object.entries(rule.query ?? {}).every(([name, value]) => query.get(name) === value)

function strikes(when: When, matched: number): boolean {
  if (when === 'always') return true
  if ('nth' in when) return matched === when.nth
  if ('first' in when) return matched <= when.first
  if ('every' in when) {
    const from = when.from ?? when.every
    return matched >= from && (matched - from) % when.every === 0
  }
  return shareOf(when.seed, matched) < when.chance
}

/** Deterministic in [0, 1). */
function shareOf(seed: number, index: number): number {
  return createHash('sha256').update(`${seed}:${index}`).digest().readUInt32BE(0) / 2 ** 32
}
