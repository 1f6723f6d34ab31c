import type { Instant } from '../market/instant.ts'
import type { HttpRequest, SendOptions } from './request.ts'

/** Up to the client's limit; `answeredAt` is the host's clock. */
export type Download = Readonly<{ bytes: Buffer; answeredAt: Instant }>

/** Downloads within budget, time and size limits. Throws the fault of a refusal. */
export type Downloader = Readonly<{
  download(request: HttpRequest, options: SendOptions): Promise<Download>
}>
