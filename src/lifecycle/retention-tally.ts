import { Aborted } from '../fault.ts'
import { concernsDatabase, holdOf } from '../store/lifecycle/delete-partitions.ts'
import { nameOf } from '../store/lifecycle/list-partitions.ts'
import { type HeldPartition, type Hold, holdText } from '../store/lifecycle/partition-holds.ts'
import type { CountedPartition } from '../store/lifecycle/retention.ts'
import type { RetentionReport } from './retention-deps.ts'

export type HeldBack = Readonly<{ partition: string; reason: string }>

export type RetiredPartitions = Readonly<{
  dropped: readonly string[]
  rows: number
  bytes: number
  heldBack: readonly HeldBack[]
}>

type Subject = Omit<HeldPartition, 'hold'>

/** Results per partition; one failure does not stop the others. */
export class RetentionTally {
  readonly #signal: AbortSignal
  readonly #stillAlone: () => Promise<void>
  readonly #report: RetentionReport
  readonly #dropped: string[] = []
  readonly #heldBack: HeldBack[] = []
  readonly #held: HeldPartition[] = []
  readonly #failures: Error[] = []
  #rows = 0
  #bytes = 0

  constructor(signal: AbortSignal, stillAlone: () => Promise<void>, report: RetentionReport) {
    this.#signal = signal
    this.#stillAlone = stillAlone
    this.#report = report
  }

  get sums(): RetiredPartitions {
    return { dropped: this.#dropped, rows: this.#rows, bytes: this.#bytes, heldBack: this.#heldBack }
  }

  /** Holds to report: not young, restored or unconfirmed partitions. */
  get held(): readonly HeldPartition[] {
    return this.#held
  }

  async proceed(): Promise<void> {
    if (this.#signal.aborted) throw new Aborted('retention was stopped: the next run goes on from there')
    await this.#stillAlone()
  }

  async drop(partition: CountedPartition): Promise<void> {
    this.#dropped.push(nameOf(partition))
    this.#rows += partition.rows
    this.#bytes += partition.bytes
    await this.#report.log(`${nameOf(partition)} is deleted with ${partition.rows} rows`)
  }

  async holdBack(partition: Subject, reason: string, hold?: Hold): Promise<void> {
    const { schema, table, name, qualifiedName, range } = partition
    if (hold) this.#held.push({ schema, table, name, qualifiedName, range, hold })
    this.#heldBack.push({ partition: nameOf(partition), reason })
    await this.#report.log(`${nameOf(partition)} stays: ${reason}`)
  }

  /** Errors of the whole database end the run. */
  async fail(partition: Subject, error: unknown, kind: Hold['kind'] = 'failure'): Promise<void> {
    const hold = this.#holdOf(error, kind)
    await this.holdBack(partition, holdText(hold), hold)
  }

  #holdOf(error: unknown, kind: Hold['kind']): Hold {
    const hold = holdOf(error)
    if (hold) return hold
    if (!(error instanceof Error) || error instanceof Aborted || concernsDatabase(error)) throw error
    this.#failures.push(error)
    return { kind, reason: error.message, remedy: undefined }
  }

  throwFirst(): void {
    const [failure] = this.#failures
    if (failure) throw failure
  }
}
