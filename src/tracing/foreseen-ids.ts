import { createHash } from 'node:crypto'
import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace-base'

/** Random ids, or those of the key inside `foreseeing`. */
export class ForeseenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  #foreseen: string | undefined

  generateTraceId = (): string => this.#foreseen?.slice(0, 32) ?? this.#random.generateTraceId()

  generateSpanId = (): string => this.#foreseen?.slice(32, 48) ?? this.#random.generateSpanId()

  foreseeing<T>(key: string, begin: () => T): T {
    this.#foreseen = createHash('sha256').update(key).digest('hex')
    try {
      return begin()
    } finally {
      this.#foreseen = undefined
    }
  }
}
