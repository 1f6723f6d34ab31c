import type { Pool, PoolClient } from 'pg'
import { Unavailable } from '../../fault.ts'
import { durationText } from '../../settings/duration.ts'

/** Limits the connections that pages and monitoring take from the jobs' pool. */
export function shareOf(pool: Pool, most: number): Pool {
  const gate = new Gate(most, pool.options.connectionTimeoutMillis ?? 0)
  const connect = async (): Promise<PoolClient> => {
    await gate.enter()
    try {
      const client = await pool.connect()
      const release = client.release
      // The pool sets a new release at each checkout.
      client.release = (error) => {
        gate.leave()
        release(error)
      }
      return client
    } catch (error) {
      gate.leave()
      throw error
    }
  }
  return new Proxy(pool, {
    get: (target, key) => {
      if (key === 'connect') return connect
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

type Waiting = Readonly<{ enter(): void }>

/** A first-in, first-out semaphore. */
class Gate {
  #free: number
  readonly #limitMs: number
  readonly #waiting: Waiting[] = []

  constructor(most: number, limitMs: number) {
    this.#free = most
    this.#limitMs = limitMs
  }

  async enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(
          new Unavailable(`the database is busy: nothing was answered within ${durationText(this.#limitMs)}`),
        )
      }, this.#limitMs)
      const waiting: Waiting = {
        enter: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      this.#waiting.push(waiting)
    })
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next) next.enter()
    else this.#free += 1
  }
}
