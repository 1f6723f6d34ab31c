/** A fenced block of code; the language is empty where none is named. */
export type Block = Readonly<{ language: string; text: string }>

const fenced = /^```(\w*)\n(.*?)\n?^```/gms

export const blocksOf = (page: string): Block[] =>
  [...page.matchAll(fenced)].map(([, language = '', text = '']) => ({ language, text }))

const proseOf = (page: string): string => page.replaceAll(fenced, '')

/** What stands between backticks in the prose; a line may break within. */
export const spansOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll('\n', ' '))

/** The targets of links and pictures within the project. */
export const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\((?!\w+:)([^)]+)\)|\b(?:src|srcset)="(?!\w+:)([^"]+)"/g)].map(
    ([, link, picture]) => link ?? picture ?? '',
  )

/** The anchors that GitHub gives the headings of a page. */
export const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
