import stringWidth from 'string-width'

export const columnsOf = (text: string): number => stringWidth(text)

/** Pads by display width. */
export function padded(text: string, columns: number, side: 'right' | 'left'): string {
  const room = ' '.repeat(Math.max(0, columns - columnsOf(text)))
  return side === 'right' ? `${text}${room}` : `${room}${text}`
}

const characters = new Intl.Segmenter()

/** Cut by display width. */
export function headOf(columns: number, text: string): string {
  if (columnsOf(text) <= columns) return text
  let head = ''
  for (const { segment } of characters.segment(text)) {
    if (columnsOf(head + segment) > columns) break
    head += segment
  }
  return head
}

/** Cut with `…`. */
export const cutTo = (columns: number, text: string): string =>
  columnsOf(text) <= columns ? text : `${headOf(columns - 1, text)}…`
