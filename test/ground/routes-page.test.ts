import { expect, test } from 'vitest'
import { filesBelow, readText } from './project.ts'

test('the page on monitoring names every route of the web server, and no other', () => {
  const served = filesBelow(['src/web'], '.ts').flatMap((file) => [
    ...readText(file).matchAll(/\bapp\.get\('(\/[\w/]*)'|^ {4}'(\/api\/\w+)':/gm),
  ])
  const names = served.map(([, route, api]) => route ?? api)
  const documented = [...readText('docs/monitoring.md').matchAll(/^\| `(\/[\w/]*)` \|/gm)].map(
    ([, route]) => route,
  )
  // The board is a plugin with routes of its own.
  expect(documented.toSorted()).toEqual([...names, '/queues'].toSorted())
})
