import type { Instant } from '../market/instant.ts'
import type { HttpRequest, SendOptions } from './request.ts'

/** A whole file as it came, no longer than the client's limit. `answeredAt` is the host's own clock. */
export type Download = Readonly<{ bytes: Buffer; answeredAt: Instant }>

/** The way to ask a host for a file: within its budget, bounded in time and size. Throws the fault of any refusal. */
export type Downloader = Readonly<{
  download(request: HttpRequest, options: SendOptions): Promise<Download>
}>
