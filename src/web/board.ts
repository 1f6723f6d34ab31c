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

export const boardPath = '/queues'

/** Those of the status page: the board's own would come from another server. */
const ownFonts = 'Inter, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif'

/** A queue whose store is gone may not answer at all. */
const answerLimitMs = 8 * second

export type BoardOptions = Readonly<{
  engine: Engine
  queues: readonly string[]
  /** Whether its buttons work: pause, retry, remove. */
  writable: boolean
}>

/** Bull Board over every queue, whichever engine they live in. */
export async function serveBoard(app: FastifyInstance, options: BoardOptions): Promise<void> {
  const { engine, queues, writable } = options
  const adapter = new FastifyAdapter()
  adapter.setBasePath(boardPath)
  createBullBoard({
    queues: queues.map((name) => adapterFor(engine, name, writable)),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'Beacon queues',
        hideDocsLink: true,
        miscLinks: [{ text: 'Status', url: '/' }],
        theme: { light: { 'font-sans': ownFonts }, dark: { 'font-sans': ownFonts } },
      },
    },
  })
  // Its own would tell the error's message to the browser.
  adapter.setErrorHandler((error) => {
    throw error
  })
  await app.register(
    async (board) => {
      board.addHook('onRoute', (route) => {
        route.handlerTimeout = answerLimitMs
      })
      board.addHook('onRequest', async (_request, reply) => {
        reply.header(policyHeader, boardPolicy)
      })
      board.addHook('onRequest', writable ? refuseDangerous : refuseChanges)
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
  const told = [what, when].filter((part) => part !== '').join(', ')
  return told === '' ? name : `${name} · ${told}`
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

/** Any job with any payload, and a queue with all it holds: nobody needs either from a browser. */
const dangerous = /\/(?:add|obliterate)$/

async function refuseDangerous(request: FastifyRequest, reply: FastifyReply) {
  if (!dangerous.test(request.routeOptions.url ?? '')) return
  return reply.code(403).send({ error: 'adding jobs and destroying queues is not for the board' })
}

/** The board's types know queues on Redis only; it works on both. */
function queueForBoard(engine: Engine, name: string): Queue {
  const queue: unknown = engine.queue(name)
  if (queue instanceof Queue) return queue
  throw new TypeError(`${name} is not a queue of BullMQ`)
}
