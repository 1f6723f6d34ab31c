import { type IdGenerator, RandomIdGenerator } from '@opentelemetry/sdk-trace-base'
import { foreseenIds } from '../runtime/trace.ts'

/** Random ids, or those of the key inside `foreseeing`. */
export class ForeseenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  #foreseen: ReturnType<typeof foreseenIds> | undefined

  generateTraceId = (): string => this.#foreseen?.traceId ?? this.#random.generateTraceId()

  generateSpanId = (): string => this.#foreseen?.spanId ?? this.#random.generateSpanId()

  foreseeing<T>(key: string, begin: () => T): T {
    this.#foreseen = foreseenIds(key)
    try {
      return begin()
    } finally {
      this.#foreseen = undefined
    }
  }
}
