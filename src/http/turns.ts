import { Aborted } from '../fault.ts'

export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Throws Aborted on abort. */
  async take<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    refuseAborted(signal)
    const turn = this.#last.then(() => {
      refuseAborted(signal)
      return work()
    })
    // Only its caller gets the error.
    this.#last = turn.then(nothing, nothing)
    return orAborted(turn, signal)
  }
}

const nothing = (): void => undefined

const stopped = (): Aborted => new Aborted('stopped while waiting for the request budget')

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw stopped()
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = nothing
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(stopped())
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
