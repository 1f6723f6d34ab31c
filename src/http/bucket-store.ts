/** What came of pouring: it is in, and the bucket leaks dry in so long; or it did not fit, and will in so long. */
export type Poured = Readonly<{ fits: true; emptyInMs: number } | { fits: false; fitsInMs: number }>

/** A time that runs out, and the number that was put down with it. */
type Timer = Readonly<{ leftMs: number; mark: number }>

/**
 * Times that run out, counted by the store's own clock: those of the processes differ. Beside each it is kept when it was
 * written. Where that lies in the future, the store's clock was set back since, and the time runs on from now.
 */
export type BucketStore = Readonly<{
  /** Adds so many milliseconds, if the whole then stays below the capacity. */
  pour(key: string, ms: number, capacityMs: number): Promise<Poured>
  /** Makes it run out in so long, unless it takes longer already. Returns the milliseconds that are left. */
  fill(key: string, ms: number): Promise<number>
  /** Takes the place of what stood before. */
  put(key: string, timer: Timer): Promise<void>
  /** Undefined once it has run out. */
  read(key: string): Promise<Timer | undefined>
}>
