import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { Queue } from 'bullmq'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { second } from '../market/instant.ts'
import type { Engine } from '../queue/engine.ts'
import { subjectOf } from '../status/runs.ts'
import { boardPolicy, policyHeader } from './headers.ts'
import { httpError } from './http-error.ts'

const boardPath = '/queues'

/** Those of the status page: the board's own would come from another server. */
const ownFonts = 'Inter, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif'

/** As everywhere: UTC, on 24 hours. */
const time = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  timeZone: 'UTC',
  timeZoneName: 'short',
} as const
const fullDate = { year: 'numeric', month: '2-digit', day: '2-digit', ...time } as const

/** A queue whose store is gone may not answer at all. */
const answerLimitMs = 8 * second

export type BoardOptions = Readonly<{
  engine: Engine
  queues: readonly string[]
  /** Whether its buttons work: pause, retry, remove. */
  writable: boolean
  /** Below which path everything is served; empty for none. */
  basePath: string
}>

/** Bull Board over every queue, whichever engine they live in. */
export async function serveBoard(app: FastifyInstance, options: BoardOptions): Promise<void> {
  const { engine, queues, writable, basePath } = options
  const adapter = new FastifyAdapter()
  adapter.setBasePath(`${basePath}${boardPath}`)
  createBullBoard({
    queues: queues.map((name) => adapterFor(engine, name, writable)),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'Beacon queues',
        hideDocsLink: true,
        // A queue without work has none, which is no fault.
        showWorkers: false,
        dateFormats: { short: time, common: fullDate, full: fullDate },
        miscLinks: [{ text: 'Status', url: `${basePath}/` }],
        theme: { light: { 'font-sans': ownFonts }, dark: { 'font-sans': ownFonts } },
      },
    },
  })
  // Its own would tell the error's message to the browser.
  adapter.setErrorHandler((error) => {
    throw asConflict(error)
  })
  await app.register(
    async (board) => {
      board.addHook('onRoute', (route) => {
        route.handlerTimeout = answerLimitMs
      })
      board.addHook('onRequest', async (_request, reply) => {
        reply.header(policyHeader, boardPolicy)
      })
      board.addHook('onRequest', writable ? refuseOthers : refuseChanges)
      await board.register(adapter.registerPlugin())
    },
    { prefix: boardPath },
  )
}

function adapterFor(engine: Engine, name: string, writable: boolean): BullMQAdapter {
  const adapter = new BullMQAdapter(queueForBoard(engine, name), { readOnlyMode: !writable })
  adapter.setFormatter('name', readableName)
  adapter.setFormatter('progress', percentOf)
  return adapter
}

// What stands in a queue may be of anybody: what is not as expected is shown as it is.
const named = z.object({ name: z.string(), data: z.unknown() })
const counts = z.object({ done: z.number(), total: z.number().positive() })

/** `backfill-candles · bitcoin 1m binance, 2024-03-01 to 2024-03-04`: what tells it from the others of its name. */
function readableName(job: unknown): string {
  const { name, data } = named.parse(job)
  const { coinId, symbol, view, timeframe, source, from, to } = subjectOf(data)
  const what = [coinId ?? symbol ?? view, timeframe, source].filter((part) => part !== undefined).join(' ')
  const when = from && to ? `${from.slice(0, 10)} to ${to.slice(0, 10)}` : ''
  const reported = [what, when].filter((part) => part !== '').join(', ')
  return reported === '' ? name : `${name} · ${reported}`
}

/** Our jobs tell how many of how many; the board draws a circle for a percentage. */
function percentOf(progress: unknown): unknown {
  const found = counts.safeParse(progress)
  return found.success ? Math.round((100 * found.data.done) / found.data.total) : progress
}

async function refuseChanges({ method }: FastifyRequest, reply: FastifyReply) {
  if (method === 'GET' || method === 'HEAD') return
  return reply.code(405).send({ error: 'the board is read-only' })
}

/** What its buttons may do. Everything else it knows, and what a newer version adds, is refused. */
const allowed = [
  /\/queues\/(?:pause|resume)$/,
  /\/:queueName\/(?:pause|resume|promote)$/,
  /\/:queueName\/(?:retry|clean)\/:queueStatus$/,
  /\/:queueName\/:jobId\/(?:retry|clean|promote)$/,
]

async function refuseOthers(request: FastifyRequest, reply: FastifyReply) {
  const { method, routeOptions } = request
  if (method === 'GET' || method === 'HEAD') return
  if (method === 'PUT' && allowed.some((route) => route.test(routeOptions.url ?? ''))) return
  return reply.code(403).send({
    error:
      'the board pauses and resumes queues, and retries, promotes and removes jobs, and changes nothing else',
  })
}

/** A job that is not where the button needs it: somebody, or a worker, was faster. */
function asConflict(error: Error): Error {
  if (
    !/\b(?:is not in the .* state|Missing key for job|could not be (?:removed|found)|is locked)\b/.test(
      error.message,
    )
  )
    return error
  return httpError(409, 'the job is no longer in the state that this button is for: reload the board')
}

/** Takes the fonts of another server, which the policy forbids, out of the board's pages. It must come before what compresses. */
export function dropForeignFonts(app: FastifyInstance): void {
  app.addHook('onSend', async (request, _reply, payload) =>
    request.url.startsWith(boardPath) ? withoutForeignFonts(payload) : payload,
  )
}

const withoutForeignFonts = (payload: unknown): unknown =>
  typeof payload === 'string' && payload.startsWith('<!')
    ? payload.replace(/<link[^>]+fonts\.(?:googleapis|gstatic)\.com[^>]*>/g, '')
    : payload

/** The board's types know queues on Redis only; it works on both. */
function queueForBoard(engine: Engine, name: string): Queue {
  const queue: unknown = engine.queue(name)
  if (queue instanceof Queue) return queue
  throw new TypeError(`${name} is not a queue of BullMQ`)
}
