import stringWidth from 'string-width'

/** The columns that a text takes in a terminal: two for a character of Chinese, none for an accent upon another. */
export const columnsOf = (text: string): number => stringWidth(text)

/** Fills a text up to so many columns, at its right or its left. */
export function padded(text: string, columns: number, side: 'right' | 'left'): string {
  const room = ' '.repeat(Math.max(0, columns - columnsOf(text)))
  return side === 'right' ? `${text}${room}` : `${room}${text}`
}

const characters = new Intl.Segmenter()

/** The beginning of a text that fits into so many columns. */
export function headOf(columns: number, text: string): string {
  if (columnsOf(text) <= columns) return text
  let head = ''
  for (const { segment } of characters.segment(text)) {
    if (columnsOf(head + segment) > columns) break
    head += segment
  }
  return head
}

/** A text that fits into so many columns, with a mark where something of it is left out. */
export const cutTo = (columns: number, text: string): string =>
  columnsOf(text) <= columns ? text : `${headOf(columns - 1, text)}…`
