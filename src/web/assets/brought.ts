// The initial data: the answers that were sent with the page, so that they need not be requested.

import { nextTask } from './elements/slices.ts'

const isRead = (): boolean => document.readyState !== 'loading'

/** What has come to its end: something follows it, or all has been read. */
const find = (request: string): HTMLElement | undefined =>
  [...document.querySelectorAll<HTMLElement>('[data-request]')].find(
    (one) => one.dataset.request === request && (one.nextSibling || isRead()),
  )

/** The answer to a request, once: waits for it as long as the page is still being sent; undefined where it has none. */
export async function brought(request: string): Promise<unknown> {
  while (!find(request) && !isRead()) await somethingMore()
  const found = find(request)
  if (!found) return undefined
  found.remove()
  // Read apart from the parsing of the page that it came with.
  await nextTask()
  return JSON.parse(found.textContent)
}

const somethingMore = (): Promise<void> =>
  new Promise((resolve) => {
    const watching = new MutationObserver(() => resolve())
    watching.observe(document.body, { childList: true })
    document.addEventListener('readystatechange', () => resolve(), { once: true })
  })
