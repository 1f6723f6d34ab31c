import { sourceIds } from '../settings/source-ids.ts'

const anySource = new RegExp(
  `\\b(?:ccxt:[a-z0-9]+|${[...sourceIds].toSorted((a, b) => b.length - a.length).join('|')})\\b`,
  'g',
)
const address =
  /\bhttps?:\/\/\S+|\b(?:[\w-]+\.)+[a-z]{2,}\b(?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\blocalhost:\d+/g
const systemError = /\((?:E[A-Z_]+|[a-z ]*timeout[a-z ]*)\)/g
const longest = 150

/** Removes source, address, numbers and system error, so that equal causes compare equal. */
export function causeOf(error: string): string {
  const common = error
    .replaceAll(systemError, '')
    .toLowerCase()
    .replaceAll(address, '*')
    .replaceAll(anySource, '*')
    .replaceAll(/\d[\d:.tz-]*/g, '#')
    .replaceAll(/\s+/g, ' ')
    .trim()
  // A dead network shows as unreachable or timed out.
  if (/^(?:# of # markets failed: )?\* (?:cannot be reached at|did not finish its answer)/.test(common))
    return 'the source cannot be reached'
  return common.slice(0, longest)
}
