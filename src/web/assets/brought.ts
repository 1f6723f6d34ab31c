// The initial data: the answers that were sent with the page, so that they need not be requested.

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
  found?.remove()
  return found && JSON.parse(found.textContent)
}

const somethingMore = (): Promise<void> =>
  new Promise((resolve) => {
    const watching = new MutationObserver(() => resolve())
    watching.observe(document.body, { childList: true })
    document.addEventListener('readystatechange', () => resolve(), { once: true })
  })
