export class Releases {
  readonly #releases: (() => Promise<unknown> | unknown)[] = []

  push(release: () => Promise<unknown> | unknown): void {
    this.#releases.push(release)
  }

  /** Closes in reverse order and collects failures. Idempotent. */
  async release(): Promise<void> {
    const failures: unknown[] = []
    for (const release of this.#releases.splice(0).toReversed()) {
      try {
        await release()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, 'some resources did not close')
  }
}
