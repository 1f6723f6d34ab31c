import { distance } from 'fastest-levenshtein'
import { baseUrlVariable } from './base-url-variable.ts'
import { didYouMean } from './did-you-mean.ts'
import { sourceIds } from './source-ids.ts'

const ownPrefix = 'BEACON_'

/** `CCXT_BITVAVO_BASE_URL` → `ccxt:bitvavo` */
const ccxtForm = /^CCXT_([A-Z0-9]+)_BASE_URL$/

export const ccxtSourcesIn = (variables: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(variables).flatMap((name) => {
    const [, exchange] = ccxtForm.exec(name) ?? []
    return exchange === undefined ? [] : [`ccxt:${exchange.toLowerCase()}`]
  })

/** Unknown variables with our prefix, or one typo from a known unset one. */
export function unknownVariables(
  variables: Readonly<Record<string, unknown>>,
  read: readonly string[],
): string[] {
  const known = [...read, ...sourceIds.map(baseUrlVariable)]
  return Object.entries(variables).flatMap(([name, value]) => {
    if (known.includes(name) || ccxtForm.test(name)) return []
    const meant = known.find((one) => isSlipOf(name, one))
    if (name.startsWith(ownPrefix)) return isServiceLink(name, value) ? [] : [unknownOwn(name, known)]
    if (meant === undefined || variables[meant] !== undefined) return []
    return [`${name} is not read: if ${meant} is meant, rename it; otherwise unset it for beacon`]
  })
}

function unknownOwn(name: string, known: readonly string[]): string {
  const own = known.filter((one) => one.startsWith(ownPrefix))
  const hint = didYouMean(
    name.slice(ownPrefix.length),
    own.map((one) => one.slice(ownPrefix.length)),
  )
  return hint === ''
    ? `${name} is unknown. There is ${own.join(', ')}`
    : `${name} is unknown.${hint.replace('"', `"${ownPrefix}`)}`
}

/** Kubernetes and Docker set these for a service "beacon". */
const isServiceLink = (name: string, value: unknown): boolean =>
  /^BEACON(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) ||
  /^BEACON(_[A-Z0-9_]+)?_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  /^(tcp|udp):[/][/]/.test(String(value))

/** One edit, a swap, or lower case. */
function isSlipOf(name: string, known: string): boolean {
  const upper = name.toUpperCase()
  if (upper === known) return true
  if (distance(upper, known) === 1) return !isOtherShortName(upper, known)
  return isSwapped(upper, known)
}

const baseUrlSuffix = '_BASE_URL'
const shortName = 3

/** Three-letter names differ by one letter. */
const isOtherShortName = (name: string, known: string): boolean =>
  name.length === known.length &&
  known.endsWith(baseUrlSuffix) &&
  known.length === shortName + baseUrlSuffix.length &&
  name.endsWith(baseUrlSuffix)

function isSwapped(name: string, known: string): boolean {
  if (name.length !== known.length) return false
  const at = [...name].findIndex((letter, index) => letter !== known[index])
  const swapped = name.slice(0, at) + name.charAt(at + 1) + name.charAt(at) + name.slice(at + 2)
  return at !== -1 && swapped === known
}
