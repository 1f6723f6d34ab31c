import { type Json, WrittenNumber } from '../answer.ts'

/** List index, field name, or `*` for the first field. */
export type Step = number | string

/** Where something stands in the answers of a path. */
export type Place = Readonly<{ path: string | RegExp; at: readonly Step[] }>

/** Without `value` the row is left out. */
export type HaltedPlace = Place & Readonly<{ value?: Json; onlyWith?: string }>

export const isAt = ({ path }: Place, asked: string): boolean =>
  typeof path === 'string' ? path === asked : path.test(asked)

/** Changes or removes the value; unchanged if absent. */
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
