import { createHmac } from 'node:crypto'
import axios from 'axios'
import { Refused, Unavailable } from '../fault.ts'
import { type Instant, second } from '../market/instant.ts'

export type Webhook = Readonly<{ url: string; secret: string }>

const limitMs = 10 * second
const longestAnswerBytes = 64 * 1_024

/** HMAC-SHA256 of time, dot and body, in hex. The time lets receivers reject replays. */
export const signatureOf = (secret: string, sentAt: Instant, body: string): string =>
  createHmac('sha256', secret).update(`${sentAt}.${body}`).digest('hex')

/** Posts without following redirects. Throws Unavailable if a retry may help, else Refused. */
export async function postWebhook({ url, secret }: Webhook, message: object, sentAt: Instant): Promise<void> {
  const body = JSON.stringify(message)
  const status = await post(url, body, {
    'content-type': 'application/json',
    'user-agent': 'beacon-ingest',
    'x-beacon-timestamp': String(sentAt),
    'x-beacon-signature': `sha256=${signatureOf(secret, sentAt, body)}`,
  })
  if (status >= 200 && status < 300) return
  const reason = `the webhook answered with status ${status}`
  throw status < 500 && status !== 429 && status !== 408 ? new Refused(reason) : new Unavailable(reason)
}

async function post(url: string, body: string, headers: Record<string, string>): Promise<number> {
  try {
    const { status } = await axios.post(url, body, {
      headers,
      maxRedirects: 0,
      proxy: false,
      responseType: 'text',
      maxContentLength: longestAnswerBytes,
      signal: AbortSignal.timeout(limitMs),
      validateStatus: () => true,
      transformRequest: (text: string) => text,
    })
    return status
  } catch (error) {
    const code = axios.isAxiosError(error) ? error.code : undefined
    if (code === undefined) throw error
    throw new Unavailable(
      code === 'ERR_CANCELED'
        ? `the webhook did not answer within ${limitMs / second} s`
        : `the webhook cannot be reached (${code})`,
      { cause: error },
    )
  }
}
