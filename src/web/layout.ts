import { escapeHtml } from './escape-html.ts'

/** No module: it must have run before the page is drawn. */
export const themeScript = 'theme.js'

/** The scripts that pages begin with: `status.js`. */
export const pageScripts = ['status', 'series', 'run'] as const
export type PageScript = (typeof pageScripts)[number]

/** What a browser must have to show a page. */
export type PageFiles = Readonly<{
  /** The names of the scripts that the pages share. */
  sharedScripts: readonly string[]
  /** A small picture, as an address that is the picture itself. */
  icon: string
}>

type Layout = Readonly<{
  /** Below which path everything is served; empty for none. */
  base: string
  script: PageScript
  title: string
  /** Of the page itself, in the header: its own controls. */
  tools?: string
  /** Below the header. */
  beforeMain?: string
  main: string
}>

/** A page up to its end. Its scripts are requested at once, and run when the last of its places is there. */
export const beginPage = (
  { sharedScripts, icon }: PageFiles,
  { base, script, title, tools = '', beforeMain = '', main }: Layout,
): string => `<!doctype html>
<html lang="en" data-base="${base}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <script src="${base}/assets/${themeScript}"></script>
    <meta name="robots" content="noindex">
    <title>${escapeHtml(title)}</title>
    <link rel="icon" type="image/svg+xml" href="${icon}">
    <link rel="stylesheet" href="${base}/assets/status.css">
    ${[`${script}.js`, ...sharedScripts].map((name) => `<link rel="modulepreload" href="${base}/assets/${name}">`).join('\n    ')}
  </head>
  <body>
    <a class="skip" href="#main">Skip to the content</a>
    <header class="top">
      <div class="brand"><img src="${icon}" alt="" width="28" height="28"><span>Beacon</span></div>
      <nav aria-label="Pages">
        <a href="${base}/"${script === 'status' ? ' aria-current="page"' : ''}>Status</a>
        <a href="${base}/queues">Queues</a>
        <a href="${base}/api/status">JSON</a>
      </nav>
      <div class="tools">${tools}
        <select id="theme" aria-label="Colours">
          <option value="system">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </div>
      <p class="live" data-part="live"></p>
    </header>${beforeMain}
    ${main}
    <div id="tip" role="tooltip" hidden></div>
    <script type="module" async src="${base}/assets/${script}.js"></script>`

export const endPage = `
  </body>
</html>
`
