import { expect } from 'vitest'
import { readText } from '../ground/project.ts'
import { test } from '../support/database.ts'
import { generatedPages } from './generated-pages.ts'

test('the generated pages are as `npm run docs` writes them', async ({ pool }) => {
  const pages = await generatedPages(pool)
  expect(Object.keys(pages).length).toBeGreaterThan(0)
  for (const [path, text] of Object.entries(pages))
    expect(readText(path), `${path} is stale: run npm run docs`).toBe(text)
})
