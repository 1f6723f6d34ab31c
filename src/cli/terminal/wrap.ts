import { columnsOf } from './columns.ts'

const characters = new Intl.Segmenter()

const units = 'ms|s|min|h|seconds?|minutes?|hours?|days?|bytes|kB|MB|GB|TB|UTC|%'
/** A space within a quantity or an instant, as in `12.3 MB` and `2024-03-01 12:00 UTC`, separates no words. */
const withinQuantity = new RegExp(String.raw`(?<=\d) (?=\d|(?:${units})(?![\p{L}\d]))`, 'gu')
const heldSpace = '\u{e000}'

/** The words of a text; a quantity with its unit is one word. */
function wordsOf(text: string): string[] {
  return text
    .trim()
    .replaceAll(withinQuantity, heldSpace)
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => word.replaceAll(heldSpace, ' '))
}

/** `1,234.50`, `2024-03-01 12:00 UTC` and `-0.5 %`: what is never broken within a word. */
const numbers = new RegExp(String.raw`[+\-~]?\d+(?:[.,:\-_T ]\d+)*(?: (?:${units})(?![\p{L}\d]))?`, 'gu')

/** The columns of the widest number of a text. */
export const widestNumber = (text: string): number =>
  Math.max(0, ...[...text.matchAll(numbers)].map(([number]) => columnsOf(number)))

/** The columns of the widest word of a text. */
export const widestWord = (text: string): number => Math.max(0, ...wordsOf(text).map(columnsOf))

/**
 * Breaks a text into lines of at most so many columns: between words, within a word that is longer than a line after a
 * separator, and never within a number, which has a line of its own where it is longer.
 */
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

/** What a long word may be broken between: after a separator, and anywhere but in a number where that is not enough. */
const piecesOf = (word: string, columns: number): string[] =>
  atomsOf(word)
    .reduce<string[]>((pieces, atom) => {
      const last = pieces.at(-1)
      if (last === undefined || /[/_\-:,.;=&?]$/.test(last)) pieces.push(atom)
      else pieces[pieces.length - 1] = last + atom
      return pieces
    }, [])
    .flatMap((piece) => (columnsOf(piece) <= columns ? [piece] : atomsOf(piece)))

/** Its numbers, and every other character by itself. */
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
