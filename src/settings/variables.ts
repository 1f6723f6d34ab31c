import { distance } from 'fastest-levenshtein'
import { baseUrlVariable } from './base-url-variable.ts'
import { didYouMean } from './did-you-mean.ts'
import { sourceIds } from './source-ids.ts'

const ownPrefix = 'BEACON_'

/** The sources of ccxt that have a variable: `CCXT_BITVAVO_BASE_URL` is for `ccxt:bitvavo`. */
const ccxtForm = /^CCXT_([A-Z0-9]+)_BASE_URL$/

export const ccxtSourcesIn = (variables: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(variables).flatMap((name) => {
    const [, exchange] = ccxtForm.exec(name) ?? []
    return exchange === undefined ? [] : [`ccxt:${exchange.toLowerCase()}`]
  })

/**
 * Variables that were meant for us and would do nothing: with our prefix and an unknown name, or one slip away from a
 * name that we read and that is not set itself. Other programs have variables of their own, which must not stop a start.
 */
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

/** Kubernetes and Docker set such variables in every container beside a service that is called "beacon". */
const isServiceLink = (name: string, value: unknown): boolean =>
  /^BEACON(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) ||
  /^BEACON(_[A-Z0-9_]+)?_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  /^(tcp|udp):[/][/]/.test(String(value))

/** A letter too few, too many, wrong or in the wrong place, or small letters. */
function isSlipOf(name: string, known: string): boolean {
  const upper = name.toUpperCase()
  if (upper === known) return true
  if (distance(upper, known) === 1) return !isOtherShortName(upper, known)
  return isSwapped(upper, known)
}

const baseUrlSuffix = '_BASE_URL'
const shortName = 3

/** With three letters, one other letter makes another name. */
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
