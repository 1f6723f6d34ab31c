// Splits work so that input stays responsive.

/** A frame is 16 ms. */
const sliceMs = 12

/** Yields to the browser, also in hidden pages. */
export const nextTask = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve()
    port2.postMessage(null)
  })

/** Newer work replaces the rest of older work. */
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
