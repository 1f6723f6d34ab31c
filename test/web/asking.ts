import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'

export type Answer = Readonly<{ status: number; headers: IncomingHttpHeaders; text: string }>

type Asked = Readonly<{ method?: string; headers?: OutgoingHttpHeaders; body?: string }>

/** One request with any header at all: fetch would not let a test say another Host. */
export async function ask(url: string, asked: Asked = {}): Promise<Answer> {
  const message = await open(url, asked)
  return { status: message.statusCode ?? 0, headers: message.headers, text: await text(message) }
}

/** The answer as soon as its headers are there; whoever asked reads or destroys it. */
export async function open(url: string, { method = 'GET', headers = {}, body }: Asked = {}) {
  const sent = request(url, { method, headers, agent: false })
  sent.end(body)
  const [message] = (await once(sent, 'response')) as [IncomingMessage]
  return message
}

/** The data of the first event of that name in a stream of server-sent events. */
export async function nextEvent(stream: IncomingMessage, name: string): Promise<unknown> {
  let received = ''
  for await (const chunk of stream.setEncoding('utf8')) {
    received += chunk
    const data = new RegExp(`^event: ${name}\\ndata: (.*)\\n\\n`, 'm').exec(received)?.[1]
    if (data !== undefined) return JSON.parse(data)
  }
  throw new Error(`the stream ended without an event "${name}": ${received.slice(0, 500)}`)
}

export const basic = (password: string, user = 'anyone'): OutgoingHttpHeaders => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
