// Work in pieces short enough that nobody who scrolls or types has to wait for it.

/** A frame is 16 ms long. */
const sliceMs = 12

/** Resolves when the browser has done what it had to do in between; in a hidden page too. */
export const nextTask = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve()
    port2.postMessage(null)
  })

/** Returns what does such work; work that is given later takes the place of what is left of the former. */
export function openSlices(): (work: readonly (() => unknown)[]) => Promise<void> {
  let newest: object | undefined
  return async (work) => {
    newest = work
    let startedAt = performance.now()
    for (const piece of work) {
      if (performance.now() - startedAt > sliceMs) {
        await nextTask()
        if (newest !== work) return
        startedAt = performance.now()
      }
      piece()
    }
  }
}
