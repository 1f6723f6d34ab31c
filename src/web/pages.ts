import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Pool } from 'pg'
import { z } from 'zod'
import { isTimeframe } from '../market/timeframe.ts'
import { listCoins } from '../store/coins.ts'
import { databaseOf } from '../store/transaction.ts'
import { escapeHtml } from './escape-html.ts'
import { beginPage, endPage, type PageFiles, type PageScript } from './layout.ts'

type Deps = Readonly<{ files: PageFiles; base: string; pool: Pool }>

type Page = Readonly<{ script: PageScript; title: string; main: string }>

/** Serves the pages of a series and of a run: their places, which their scripts fill from the API. */
export function servePages(app: FastifyInstance, deps: Deps): void {
  app.get<{ Params: { coin: string; timeframe: string } }>(
    '/series/:coin/:timeframe',
    async ({ params: { coin, timeframe } }, reply) => {
      const coins = await listCoins(databaseOf(deps.pool))
      const known = coins.find(({ id }) => id === coin)
      if (!known || !isTimeframe(timeframe))
        return notFound(deps, reply, `No series ${coin} ${timeframe} is tracked.`)
      return send(deps, reply, {
        script: 'series',
        title: `${known.symbol.toUpperCase()} ${timeframe} · Beacon`,
        main: seriesMain(coin, timeframe),
      })
    },
  )
  app.get<{ Params: { id: string } }>('/runs/:id', async ({ params: { id } }, reply) => {
    if (!z.uuid().safeParse(id).success) return notFound(deps, reply, `There is no run ${id}.`)
    return send(deps, reply, { script: 'run', title: 'Run · Beacon', main: runMain(id) })
  })
}

const send = ({ files, base }: Deps, reply: FastifyReply, page: Page) =>
  reply.type('text/html; charset=utf-8').send(`${beginPage(files, { base, ...page })}${endPage}`)

function notFound(deps: Deps, reply: FastifyReply, message: string) {
  const main = `<main id="main" class="subpage"><h1>Not found</h1><p>${escapeHtml(message)} <a href="${deps.base}/">Back to the status</a></p></main>`
  return send(deps, reply.code(404), { script: 'run', title: 'Not found · Beacon', main })
}

const card = (id: string, title: string, note: string): string => `
      <section id="${id}" class="card" aria-labelledby="${id}-title">
        <div class="card-head"><h2 id="${id}-title">${title}</h2><p class="note">${note}</p></div>
        <div class="card-body" data-part="${id}"><p class="nothing">Waiting for the first answer …</p></div>
      </section>`

const seriesMain = (
  coin: string,
  timeframe: string,
): string => `<main id="main" class="subpage" tabindex="-1" data-coin="${escapeHtml(coin)}" data-timeframe="${timeframe}">
      <div class="subpage-head" data-part="head"><h1>${escapeHtml(coin)} ${timeframe}</h1></div>
      <p class="visually-hidden" role="status" aria-live="polite" data-part="announcement"></p>
      ${[
        card('chart', 'Candles', 'Drag for older ones; the shaded parts have no candle'),
        card('commands', 'Commands', 'For the candles that the chart shows'),
        card('months', 'Coverage by month', 'UTC'),
        card('runs', 'Runs', 'The newest that requested its candles'),
        card('source', 'Source', 'Where the candles come from, and its budget'),
      ].join('')}
    </main>`

const runMain = (
  id: string,
): string => `<main id="main" class="subpage" tabindex="-1" data-run="${escapeHtml(id)}">
      <div class="subpage-head" data-part="head"><h1>Run</h1></div>
      ${[
        card('result', 'Result', 'What the run has counted'),
        card('parameters', 'Parameters', 'What the job was given'),
        card('log', 'Log', 'What the job has written, all of its attempts'),
      ].join('')}
    </main>`
