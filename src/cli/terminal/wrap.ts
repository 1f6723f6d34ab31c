import { columnsOf } from './columns.ts'

const characters = new Intl.Segmenter()

const units = 'ms|s|min|h|seconds?|minutes?|hours?|days?|bytes|kB|MB|GB|TB|UTC|%'
/** Spaces within `12.3 MB` or `2024-03-01 12:00 UTC` do not separate words. */
const withinQuantity = new RegExp(
  String.raw`(?<=\d{4}-\d\d-\d\d) (?=\d\d:\d\d)|(?<=\d) (?=(?:${units})(?![\p{L}\d]))`,
  'gu',
)
const heldSpace = '\u{e000}'

/** Quantities with units are one word. */
function wordsOf(text: string): string[] {
  return text
    .trim()
    .replaceAll(withinQuantity, heldSpace)
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll(heldSpace, ' '))
}

/** `1,234.50`, `2024-03-01 12:00 UTC`, `-0.5 %`: never broken. */
const numbers = new RegExp(
  String.raw`[+\-~]?\d+(?:[.,:\-_T]\d+)*(?:(?<=\d{4}-\d\d-\d\d) \d\d(?::\d\d)+)?(?: (?:${units})(?![\p{L}\d]))?`,
  'gu',
)

/** In columns. */
export const widestNumber = (text: string): number =>
  Math.max(0, ...[...text.matchAll(numbers)].map(([number]) => columnsOf(number)))

export const widestWord = (text: string): number => Math.max(0, ...wordsOf(text).map(columnsOf))

/** Breaks between words, long words after separators, never numbers. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of wordsOf(text)) {
    const together = line === '' ? word : `${line} ${word}`
    if (columnsOf(together) <= columns) {
      line = together
      continue
    }
    if (line !== '') lines.push(line)
    const parts = brokenWord(word, columns)
    lines.push(...parts.slice(0, -1))
    line = parts.at(-1) ?? ''
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line]
}

function brokenWord(word: string, columns: number): string[] {
  if (columnsOf(word) <= columns) return [word]
  const parts: string[] = []
  let part = ''
  for (const piece of piecesOf(word, columns)) {
    if (part !== '' && columnsOf(part + piece) > columns) {
      parts.push(part)
      part = ''
    }
    part += piece
  }
  return [...parts, part]
}

/** After separators, or anywhere but in numbers. */
const piecesOf = (word: string, columns: number): string[] =>
  atomsOf(word)
    .reduce<string[]>((pieces, atom) => {
      const last = pieces.at(-1)
      if (last === undefined || /[/_\-:,.;=&?]$/.test(last)) pieces.push(atom)
      else pieces[pieces.length - 1] = last + atom
      return pieces
    }, [])
    .flatMap((piece) => (columnsOf(piece) <= columns ? [piece] : atomsOf(piece)))

/** Numbers and single characters. */
function atomsOf(word: string): string[] {
  const atoms: string[] = []
  let at = 0
  const others = (text: string) => [...characters.segment(text)].map(({ segment }) => segment)
  for (const { 0: number, index } of word.matchAll(numbers)) {
    atoms.push(...others(word.slice(at, index)), number)
    at = index + number.length
  }
  return [...atoms, ...others(word.slice(at))]
}
