// What the page has brought with it: the answers to what it asks first, so that nobody has to wait for a question.

const isRead = () => document.readyState !== 'loading'

/** What has come to its end: something follows it, or all has been read. */
const find = (question) =>
  [...document.querySelectorAll('[data-question]')].find(
    (one) => one.dataset.question === question && (one.nextSibling || isRead()),
  )

/** The answer to a question, once: waits for it as long as the page is still being sent; undefined where it has none. */
export async function brought(question) {
  while (!find(question) && !isRead()) await somethingMore()
  const found = find(question)
  found?.remove()
  return found && JSON.parse(found.textContent)
}

const somethingMore = () =>
  new Promise((resolve) => {
    const watching = new MutationObserver(resolve)
    watching.observe(document.body, { childList: true })
    document.addEventListener('readystatechange', resolve, { once: true })
  })
