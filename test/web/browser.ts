import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** The browser of this machine; undefined where none is installed. */
export const browserPath: string | undefined = places.find((place) => existsSync(place))
if (browserPath === undefined) {
  process.stderr.write('no chromium was found: the tests in a real browser are left out\n')
}

/** Its address bar would load two pages of its own for every window: a second's work, and none of ours. */
const addressBar = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup']

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    ...(browserPath === undefined ? {} : { executablePath: browserPath }),
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      `--disable-features=${addressBar.join(',')}`,
    ],
  })

/** A page of its own, and all that it asked for and complained about. */
export type Visit = Readonly<{
  page: Page
  requests: readonly string[]
  complaints: readonly string[]
  [Symbol.asyncDispose](): Promise<void>
}>

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const requests: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return { page, requests, complaints, [Symbol.asyncDispose]: () => context.close() }
}
