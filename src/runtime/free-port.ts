import { createServer } from 'node:net'

/** The wanted port where it is free on the host, otherwise 0: any that is. */
export function freePortOr(wanted: number, host: string): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(wanted, host, () => probe.close(() => resolve(wanted)))
  })
}
