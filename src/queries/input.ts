import { InvalidInput } from '../fault.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const isUuid = (text: string): boolean => uuid.test(text)

/** Throws InvalidInput unless a UUID. */
export function checkId(name: string, id: string): string {
  if (!isUuid(id)) throw new InvalidInput(`${name} is no UUID: pass the id of a row`)
  return id
}

/** Throws InvalidInput unless an integer from 1 to `most`. */
export function checkCount(name: string, count: number, most: number): number {
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new InvalidInput(`${name} is ${count}: pass a whole number from 1 to ${most}`)
  }
  return count
}
