import fc from 'fast-check'
import { isLosslessNumber, LosslessNumber, parse, stringify } from 'lossless-json'

/** Values of another type than any number, time or name. */
const otherTypes = [null, true, {}, [], '', 'NaN', '0x10', '1_000', '-'] as const

/**
 * Ways in which an answer may be damaged without a valid number in the place of another: what is accepted of it afterwards
 * must have been in it before.
 */
const change = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop', 'duplicate', 'swap', 'retype' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), by: fc.constantFrom(...otherTypes) }),
  fc.record({ kind: fc.constant('rename' as const), at: fc.nat() }),
)

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

/** A few changes of one answer, and where its text is cut, if it is. */
export const mutation = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  keep: fc.option(fc.double({ min: 0, max: 0.999, noNaN: true }), { freq: 8 }),
})

export type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never

type Container = unknown[] | Record<string, unknown>

/** Where a value stands, and how deep. */
type Place = Readonly<{ within: Container; key: string; depth: number }>

export function mutate(body: string, { changes, keep }: Mutation): string {
  const root: Container = { body: parse(body) }
  for (const one of changes) apply(placesIn(root), one)
  const text = stringify(root.body) ?? ''
  return keep === null ? text : text.slice(0, Math.floor(text.length * keep))
}

function placesIn(within: Container, depth = 0): Place[] {
  return Object.entries(within).flatMap(([key, value]) => [
    { within, key, depth },
    ...(isContainer(value) ? placesIn(value, depth + 1) : []),
  ])
}

const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null && !isLosslessNumber(value)

function apply(places: readonly Place[], one: Change): void {
  const rows = places.filter(({ within, key }) => Array.isArray(within) && isContainer(at(within, key)))
  const scalars = places.filter(({ within, key }) => !isContainer(at(within, key)))
  const fields = places.filter(({ within, depth }) => !Array.isArray(within) && depth > 0)
  const chosen = <T>(from: readonly T[]): T | undefined => from[one.at % Math.max(1, from.length)]
  if (one.kind === 'drop') drop(chosen(places.filter(({ depth }) => depth > 0)))
  if (one.kind === 'duplicate' || one.kind === 'swap') reorder(chosen(rows), one.kind)
  if (one.kind === 'retype') put(chosen(scalars), retyped)
  if (one.kind === 'replace') put(chosen(places), () => one.by)
  if (one.kind === 'rename') rename(chosen(fields))
}

const at = (within: Container, key: string): unknown => Reflect.get(within, key)

function drop(place: Place | undefined): void {
  if (!place) return
  if (Array.isArray(place.within)) place.within.splice(Number(place.key), 1)
  else delete place.within[place.key]
}

function reorder(place: Place | undefined, kind: 'duplicate' | 'swap'): void {
  if (!place || !Array.isArray(place.within)) return
  const [row] = place.within.splice(Number(place.key), kind === 'swap' ? 1 : 0)
  if (kind === 'swap') place.within.unshift(row)
  else place.within.push(structuredClone(place.within[Number(place.key)]))
}

function put(place: Place | undefined, value: (before: unknown) => unknown): void {
  if (place) Reflect.set(place.within, place.key, value(at(place.within, place.key)))
}

function rename(place: Place | undefined): void {
  if (!place || Array.isArray(place.within)) return
  place.within[`${place.key}_`] = place.within[place.key]
  delete place.within[place.key]
}

/** The same digits as text instead of a number, and the other way round. */
function retyped(value: unknown): unknown {
  if (isLosslessNumber(value)) return value.value
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? new LosslessNumber(value) : [value]
}
