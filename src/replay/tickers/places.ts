import { type Json, WrittenNumber } from '../answer.ts'

/** A step into a body: the index of a list, the name of a field, or `*` for the first field of an object. */
export type Step = number | string

/** Where something stands in the answers of a path. */
export type Place = Readonly<{ path: string | RegExp; at: readonly Step[] }>

/** What a source says once its first market is not traded any more; without a value it leaves it out. */
export type HaltedPlace = Place & Readonly<{ value?: Json; onlyWith?: string }>

export const isAt = ({ path }: Place, asked: string): boolean =>
  typeof path === 'string' ? path === asked : path.test(asked)

/** The body with another value at that place, or without it where that is undefined; as it is where there is none. */
export function changeAt(
  body: Json,
  [step, ...rest]: readonly Step[],
  become: (old: Json) => Json | undefined,
): Json {
  if (step === undefined) return become(body) ?? null
  const inner = (old: Json): Json | undefined =>
    rest.length === 0 ? become(old) : changeAt(old, rest, become)
  if (Array.isArray(body)) {
    return body.flatMap((old: Json, index) => {
      const changed = index === step ? inner(old) : old
      return changed === undefined ? [] : [changed]
    })
  }
  if (typeof body !== 'object' || body === null || body instanceof WrittenNumber) return body
  const fields = Object.entries(body)
  const name = step === '*' ? fields[0]?.[0] : step
  return Object.fromEntries(
    fields.flatMap(([field, old]): [string, Json][] => {
      const changed = field === name ? inner(old) : old
      return changed === undefined ? [] : [[field, changed]]
    }),
  )
}
