/**
 * Hands on what a source answers, and calls `meanwhile` when the next answer takes longer than that: what has come must
 * not lie in memory until a slow source goes on.
 */
export async function* withoutWaiting<T>(
  answers: AsyncGenerator<T, void>,
  pageTimeoutMs: number,
  meanwhile: () => Promise<void>,
): AsyncGenerator<T, void> {
  try {
    for (;;) {
      const next = answers.next()
      if (!(await settlesWithin(next, pageTimeoutMs))) await meanwhile()
      const { done, value } = await next
      if (done || value === undefined) return
      yield value
    }
  } finally {
    await answers.return()
  }
}

/** By a bare timer, since it is set for every answer: ending one by a signal makes an error with a stack. */
const settlesWithin = (work: Promise<unknown>, limitMs: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs, false)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(settled, settled)
  })
