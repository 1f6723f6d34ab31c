import { binanceErrors } from '../../../src/sources/errors/binance-errors.ts'
import { bitfinexErrors } from '../../../src/sources/errors/bitfinex-errors.ts'
import { bitstampErrors } from '../../../src/sources/errors/bitstamp-errors.ts'
import { bybitErrors } from '../../../src/sources/errors/bybit-errors.ts'
import { coinbaseErrors } from '../../../src/sources/errors/coinbase-errors.ts'
import { cryptocomErrors } from '../../../src/sources/errors/cryptocom-errors.ts'
import type { ErrorTable, SourceError } from '../../../src/sources/errors/error-table.ts'
import { gateioErrors } from '../../../src/sources/errors/gateio-errors.ts'
import { htxErrors } from '../../../src/sources/errors/htx-errors.ts'
import { krakenErrors } from '../../../src/sources/errors/kraken-errors.ts'
import { kucoinErrors } from '../../../src/sources/errors/kucoin-errors.ts'
import { mexcErrors } from '../../../src/sources/errors/mexc-errors.ts'
import { okxErrors } from '../../../src/sources/errors/okx-errors.ts'

/** One source beside the same exchange in ccxt. */
export type Compared = Readonly<{
  table: ErrorTable
  ccxtId: string
  /** An error as the source sends it: HTTP status and body. */
  send(error: SourceError): Readonly<{ status: number; body: unknown }>
}>

const withStatus = (status: number, body: unknown) => ({ status, body })

export const compared: readonly Compared[] = [
  {
    table: binanceErrors,
    ccxtId: 'binance',
    send: ({ code, message }) => withStatus(400, { ...(code && { code: Number(code) }), msg: message }),
  },
  {
    table: coinbaseErrors,
    ccxtId: 'coinbaseexchange',
    send: ({ code, message }) => withStatus(400, { message: message || code }),
  },
  {
    table: krakenErrors,
    ccxtId: 'kraken',
    send: ({ code, message }) => withStatus(200, { error: [message || code] }),
  },
  {
    table: okxErrors,
    ccxtId: 'okx',
    send: ({ code, message }) => withStatus(200, { code, msg: message, data: [] }),
  },
  {
    table: bybitErrors,
    ccxtId: 'bybit',
    send: ({ code, message }) => withStatus(200, { retCode: Number(code), retMsg: message, result: {} }),
  },
  {
    table: kucoinErrors,
    ccxtId: 'kucoin',
    send: ({ code, message }) => withStatus(200, { code, msg: message }),
  },
  {
    table: bitstampErrors,
    ccxtId: 'bitstamp',
    send: ({ code, message }) => withStatus(400, { status: 'error', reason: message, code }),
  },
  {
    table: bitfinexErrors,
    ccxtId: 'bitfinex',
    send: ({ code, message }) => withStatus(500, ['error', Number(code), message]),
  },
  {
    table: gateioErrors,
    ccxtId: 'gate',
    send: ({ code, message }) => withStatus(400, { label: code, message }),
  },
  {
    table: cryptocomErrors,
    ccxtId: 'cryptocom',
    send: ({ code, message }) => withStatus(400, { id: -1, code: Number(code), message }),
  },
  {
    table: htxErrors,
    ccxtId: 'htx',
    send: ({ code, message }) => withStatus(200, { status: 'error', 'err-code': code, 'err-msg': message }),
  },
  {
    table: mexcErrors,
    ccxtId: 'mexc',
    send: ({ code, message }) => withStatus(400, { code: Number(code), msg: message }),
  },
]
