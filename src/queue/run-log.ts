import type { Downloader } from '../http/download.ts'
import type { HttpClient, HttpRequest } from '../http/request.ts'
import type { Instant } from '../market/instant.ts'
import { toIso } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { withoutSecrets } from '../runtime/redaction.ts'

/** Of a job with all its attempts; the oldest rows go first. */
export const keptRows = 100

/** A row is written by one statement; the store cuts longer ones. */
const maxRowLength = 3_500
const maxRowLines = 20
const rowEveryMs = 1_000

/** A tick of hundreds of markets lists a few of its requests and counts the others. */
const listedRequests = 5
const maxQueryLength = 160

type RunLogOptions = Readonly<{
  clock: Clock
  steadyClock: Clock
  /** Begins to write a row; rows are written in order. */
  writeRow(row: string): void
}>

/** What a run requests and stores, for the log of its job: many lines to a row, so that no request costs a round trip. */
export class RunLog {
  readonly #options: RunLogOptions
  #lines: string[] = []
  #length = 0
  #rowAt: Instant
  #listed = { answered: 0, failed: 0 }
  readonly #others = new Map<string, number>()

  constructor(options: RunLogOptions) {
    this.#options = options
    this.#rowAt = options.steadyClock.now()
  }

  /** What the run is given: a client whose requests are noted when they end, and where it reports its batches. */
  within({ http }: Readonly<{ http: HttpClient & Downloader }>) {
    return { http: this.#client(http), onBatch: this.#batch }
  }

  #client(http: HttpClient & Downloader): HttpClient & Downloader {
    return {
      get: (request, sending) =>
        this.#noting(
          request,
          http.get(request, sending),
          ({ status, text }) => `${status}, ${text.length} characters`,
        ),
      download: (request, sending) =>
        this.#noting(request, http.download(request, sending), ({ bytes }) => `${bytes.length} bytes`),
    }
  }

  /** Notes a committed batch, and writes what is pending once it is a second old. */
  readonly #batch = (rows: string, counts: Readonly<Record<string, number>>): void => {
    this.write(`stored ${rows}: ${countsText(counts)}`)
    if (this.#options.steadyClock.now() - this.#rowAt >= rowEveryMs) this.flush()
  }

  write(line: string): void {
    const noted = `${toIso(this.#options.clock.now()).slice(11, 19)} ${withoutSecrets(line)}`
    if (this.#length + noted.length > maxRowLength || this.#lines.length >= maxRowLines) this.flush()
    this.#lines.push(noted)
    this.#length += noted.length + 1
  }

  flush(): void {
    const row = [...this.#lines, ...this.#othersText()].join('\n')
    this.#lines = []
    this.#length = 0
    this.#listed = { answered: 0, failed: 0 }
    this.#others.clear()
    this.#rowAt = this.#options.steadyClock.now()
    if (row !== '') this.#options.writeRow(row)
  }

  async #noting<T>(request: HttpRequest, sent: Promise<T>, describe: (answer: T) => string): Promise<T> {
    const { steadyClock } = this.#options
    const began = steadyClock.now()
    const took = () => `${steadyClock.now() - began} ms`
    try {
      const answer = await sent
      this.#request(request, 'answered', () => `${describe(answer)}, ${took()}`)
      return answer
    } catch (error) {
      this.#request(
        request,
        'failed',
        () => `failed after ${took()}: ${error instanceof Error ? error.message : error}`,
      )
      throw error
    }
  }

  #request(request: HttpRequest, end: 'answered' | 'failed', describe: () => string): void {
    if (this.#listed[end] < listedRequests) {
      // Before the line, which may begin a new row.
      const line = `${requestText(request)}: ${describe()}`
      this.write(line)
      this.#listed[end] += 1
      return
    }
    const others = `${request.source} ${end}`
    this.#others.set(others, (this.#others.get(others) ?? 0) + 1)
  }

  #othersText(): string[] {
    if (this.#others.size === 0) return []
    const counts = [...this.#others].map(([others, count]) => `${others} ${count}`)
    return [`other requests: ${counts.join(', ')}`]
  }
}

const requestText = ({ source, path, query }: HttpRequest): string =>
  `GET ${source} ${path} ${new URLSearchParams(query)}`.trimEnd().slice(0, maxQueryLength)

/** Numbers and short texts; of a list, how many. */
export const countsText = (counts: Readonly<Record<string, unknown>>): string =>
  Object.entries(counts)
    .flatMap(([name, value]) => {
      if (Array.isArray(value)) return [`${name} ${value.length}`]
      return typeof value === 'object' || value === undefined ? [] : [`${name} ${value}`]
    })
    .join(', ')
