/** The result: poured, and when it is empty; or no room, and when there will be. */
export type Poured = Readonly<{ fits: true; emptyInMs: number } | { fits: false; fitsInMs: number }>

/** A timer with a number attached. */
type Timer = Readonly<{ leftMs: number; mark: number }>

/**
 * Timers by the store's clock, since processes' clocks differ. `written` detects that the store's clock was set back;
 * the timer then restarts from now.
 */
export type BucketStore = Readonly<{
  /** Adds ms if the total stays below the capacity. */
  pour(key: string, ms: number, capacityMs: number): Promise<Poured>
  /** Extends the timer to `ms` at least. Returns the remaining ms. */
  fill(key: string, ms: number): Promise<number>
  put(key: string, timer: Timer): Promise<void>
  /** Undefined once expired. */
  read(key: string): Promise<Timer | undefined>
}>
