import { describe, expect, test } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { readEnvironment } from '../support/read-environment.ts'

describe('a variable that would do nothing', () => {
  test.for([
    ['BEACON_HTTP_PROT', 'BEACON_HTTP_PROT is unknown. Did you mean "BEACON_HTTP_PORT"?'],
    ['BEACON_DATADIR', 'BEACON_DATADIR is unknown. Did you mean "BEACON_DATA_DIR"?'],
    ['BEACON_PORT', 'BEACON_PORT is unknown. '],
    ['BEACON_', 'BEACON_ is unknown. There is BEACON_CONFIG, BEACON_DATA_DIR'],
    ['BEACON_ZZZZZZ', 'BEACON_ZZZZZZ is unknown. There is BEACON_CONFIG, BEACON_DATA_DIR'],
    ['BINANC_BASE_URL', 'if BINANCE_BASE_URL is meant, rename it'],
    ['BINNACE_BASE_URL', 'if BINANCE_BASE_URL is meant, rename it'],
    ['BINANCE_BASEURL', 'if BINANCE_BASE_URL is meant, rename it'],
    ['binance_base_url', 'if BINANCE_BASE_URL is meant, rename it'],
    ['BINANCE_ARCHIV_BASE_URL', 'if BINANCE_ARCHIVE_BASE_URL is meant, rename it'],
    ['OKEX_BASE_URL', 'if OKX_BASE_URL is meant, rename it'],
    ['OXK_BASE_URL', 'if OKX_BASE_URL is meant, rename it'],
    ['CRYPTO_COM_BASE_URL', 'if CRYPTOCOM_BASE_URL is meant, rename it'],
    ['DATABASE_URI', 'if DATABASE_URL is meant, rename it'],
    ['DATABSE_URL', 'if DATABASE_URL is meant, rename it'],
    ['REDIS_URI', 'if REDIS_URL is meant, rename it'],
    ['ARCHIVE_URLS', 'if ARCHIVE_URL is meant, rename it'],
    ['COINGECKO_APIKEY', 'if COINGECKO_API_KEY is meant, rename it'],
  ])('%s is reported with the one that is meant', ([name = '', message = '']) => {
    const read = () => readEnvironment({ [name]: 'canary' })
    expect(read).toThrow(InvalidInput)
    expect(read).toThrow(message)
    expect(read).not.toThrow('canary')
  })

  test.for([
    [{ OPENAI_BASE_URL: 'https://api' }],
    [{ API_BASE_URL: 'https://api', HTTP_BASE_URL: 'x', NEXT_PUBLIC_BASE_URL: 'x', CODEBASE_BASE_URL: 'x' }],
    [{ OKD_BASE_URL: 'https://openshift', HTM_BASE_URL: 'x' }],
    [{ TEST_DATABASE_URL: 'postgres://x', SQLALCHEMY_DATABASE_URI: 'x', REDIS_TLS_URL: 'x' }],
    // The right one is set: the other is another program's.
    [{ DATABASE_URL: 'postgres://me@db/beacon', DATABASE_URI: 'postgres://other' }],
    [{ BEACON_HTTP_PROT: '' }],
    // What Kubernetes and Docker set beside a service called "beacon", "beacon-ingest" or "beacon-db".
    [
      {
        BEACON_SERVICE_HOST: '10.0.0.1',
        BEACON_SERVICE_PORT: '80',
        BEACON_SERVICE_PORT_HTTP: '80',
        BEACON_PORT: 'tcp://10.0.0.1:80',
        BEACON_PORT_80_TCP: 'tcp://10.0.0.1:80',
        BEACON_PORT_80_TCP_PROTO: 'tcp',
        BEACON_PORT_80_TCP_PORT: '80',
        BEACON_PORT_80_TCP_ADDR: '10.0.0.1',
        BEACON_INGEST_SERVICE_HOST: '10.0.0.2',
        BEACON_DB_PORT: 'tcp://10.0.0.3:5432',
        BEACON_DB_PORT_5432_TCP_ADDR: '10.0.0.3',
      },
    ],
    [{ CCXT_BITVAVO_BASE_URL: 'http://127.0.0.1:9000' }],
  ] satisfies [Record<string, string>][])('%o stops no start', ([variables]) => {
    expect(() => readEnvironment(variables)).not.toThrow()
  })
})

test.for(['redis://cache/first', 'redis://cache:6379/0/1', 'rediss://cache/-1', 'redis://cache/1.5'])(
  '%s names no database of Redis',
  (url) => {
    expect(() => readEnvironment({ REDIS_URL: url })).toThrow(
      'REDIS_URL names a database that is not a number',
    )
  },
)
