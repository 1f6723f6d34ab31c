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

/** The board's own fonts come from another server. */
const ownFonts = 'Inter, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif'

/** UTC, 24 hours. */
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
  /** Pause, retry and remove. */
  writable: boolean
  /** Empty for none. */
  basePath: string
}>

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
        // Idle queues have no workers.
        showWorkers: false,
        dateFormats: { short: time, common: fullDate, full: fullDate },
        miscLinks: [{ text: 'Status', url: `${basePath}/` }],
        theme: { light: { 'font-sans': ownFonts }, dark: { 'font-sans': ownFonts } },
      },
    },
  })
  // The default exposes error messages.
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

// Unexpected content is shown as is.
const named = z.object({ name: z.string(), data: z.unknown() })
const counts = z.object({ done: z.number(), total: z.number().positive() })

/** `backfill-candles · bitcoin 1m binance, 2024-03-01 to 2024-03-04` */
function readableName(job: unknown): string {
  const { name, data } = named.parse(job)
  const { coinId, symbol, view, timeframe, source, from, to } = subjectOf(data)
  const what = [coinId ?? symbol ?? view, timeframe, source].filter((part) => part !== undefined).join(' ')
  const when = from && to ? `${from.slice(0, 10)} to ${to.slice(0, 10)}` : ''
  const reported = [what, when].filter((part) => part !== '').join(', ')
  return reported === '' ? name : `${name} · ${reported}`
}

/** The board expects a percentage. */
function percentOf(progress: unknown): unknown {
  const found = counts.safeParse(progress)
  return found.success ? Math.round((100 * found.data.done) / found.data.total) : progress
}

async function refuseChanges({ method }: FastifyRequest, reply: FastifyReply) {
  if (method === 'GET' || method === 'HEAD') return
  return reply.code(405).send({ error: 'the board is read-only' })
}

/** All other board routes are rejected, including future ones. */
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

/** The job changed meanwhile. */
function asConflict(error: Error): Error {
  if (
    !/\b(?:is not in the .* state|Missing key for job|could not be (?:removed|found)|is locked)\b/.test(
      error.message,
    )
  )
    return error
  return httpError(409, 'the job is no longer in the state that this button is for: reload the board')
}

/** Removes external fonts, which the policy forbids; before compression. */
export function dropForeignFonts(app: FastifyInstance): void {
  app.addHook('onSend', async (request, _reply, payload) =>
    request.url.startsWith(boardPath) ? withoutForeignFonts(payload) : payload,
  )
}

const withoutForeignFonts = (payload: unknown): unknown =>
  typeof payload === 'string' && payload.startsWith('<!')
    ? payload.replace(/<link[^>]+fonts\.(?:googleapis|gstatic)\.com[^>]*>/g, '')
    : payload

/** Typed for Redis only, but works on both. */
function queueForBoard(engine: Engine, name: string): Queue {
  const queue: unknown = engine.queue(name)
  if (queue instanceof Queue) return queue
  throw new TypeError(`${name} is not a queue of BullMQ`)
}
