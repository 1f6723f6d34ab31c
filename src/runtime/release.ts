/** Things that were opened and must be closed, last first. */
export class Releases {
  readonly #releases: (() => Promise<unknown> | unknown)[] = []

  /** Registers how to close what was just opened. */
  push(release: () => Promise<unknown> | unknown): void {
    this.#releases.push(release)
  }

  /** Closes everything in reverse order; no failure hides another. Calling it again closes nothing twice. */
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
