// Initial data sent with the page.

import { nextTask } from './elements/slices.ts'

const isRead = (): boolean => document.readyState !== 'loading'

/** Complete once something follows it. */
const find = (request: string): HTMLElement | undefined =>
  [...document.querySelectorAll<HTMLElement>('[data-request]')].find(
    (one) => one.dataset.request === request && (one.nextSibling || isRead()),
  )

/** Once; waits while the page loads. Undefined if there is none. */
export async function brought(request: string): Promise<unknown> {
  while (!find(request) && !isRead()) await somethingMore()
  const found = find(request)
  if (!found) return undefined
  found.remove()
  // Parsed outside of page parsing.
  await nextTask()
  return JSON.parse(found.textContent)
}

const somethingMore = (): Promise<void> =>
  new Promise((resolve) => {
    const watching = new MutationObserver(() => resolve())
    watching.observe(document.body, { childList: true })
    document.addEventListener('readystatechange', () => resolve(), { once: true })
  })
